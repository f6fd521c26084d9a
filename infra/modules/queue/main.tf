# A queue with its dead-letter queue and the alarms of both.

variable "name" {
  description = "The queue's name; its dead-letter queue has -dead-letters behind, as the functions expect."
  type        = string
}

variable "visibility_timeout" {
  description = "How long a message that was received stays unseen: at least six times the function's timeout. Seconds."
  type        = number
}

variable "retention_days" {
  description = "How long an undelivered message is kept: less than the 14 days of the dead-letter queue, in which its age counts on."
  type        = number

  validation {
    condition     = var.retention_days < 14
    error_message = "retention_days is less than the dead-letter queue's 14."
  }
}

variable "max_age_seconds" {
  description = "How old the oldest message may become before the alarm goes off; null where messages wait by design."
  type        = number
}

variable "deliveries" {
  description = "After so many deliveries the functions park a message. Looking at it counts as one."
  type        = number
  default     = 60
}

variable "senders_policy" {
  description = "A policy that lets others send to the queue, as JSON; null where only our functions do, by their roles."
  type        = string
  default     = null
}

variable "alarm_topic_arn" {
  description = "Where alarms go."
  type        = string
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = var.visibility_timeout
  message_retention_seconds  = var.retention_days * 86400
  receive_wait_time_seconds  = 20

  # The functions park a message after that many deliveries, with the reason; this is for messages
  # that kill the function.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.deliveries + 1
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 14 * 86400
}

data "aws_iam_policy_document" "only_by_tls" {
  for_each = { queue = aws_sqs_queue.this.arn, dead_letters = aws_sqs_queue.dead_letters.arn }

  source_policy_documents = [for policy in [var.senders_policy] : policy if policy != null && each.key == "queue"]

  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.url
  policy    = data.aws_iam_policy_document.only_by_tls["queue"].json
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = data.aws_iam_policy_document.only_by_tls["dead_letters"].json
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Messages that could not be handled wait in ${var.name}-dead-letters. Each tells its reason in the attribute \"reason\"."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "age" {
  count = var.max_age_seconds == null ? 0 : 1

  alarm_name          = "${var.name}-age"
  alarm_description   = "A message has waited in ${var.name} for more than ${var.max_age_seconds} seconds."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.this.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.max_age_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

output "arn" {
  description = "The queue's ARN."
  value       = aws_sqs_queue.this.arn
}

output "url" {
  description = "The queue's URL."
  value       = aws_sqs_queue.this.url
}

output "name" {
  description = "The queue's name."
  value       = aws_sqs_queue.this.name
}

output "dead_letters_arn" {
  description = "The dead-letter queue's ARN."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letters_name" {
  description = "The dead-letter queue's name."
  value       = aws_sqs_queue.dead_letters.name
}

output "retention_seconds" {
  description = "How long the queue, and its dead-letter queue, keep a message."
  value = {
    queue        = aws_sqs_queue.this.message_retention_seconds
    dead_letters = aws_sqs_queue.dead_letters.message_retention_seconds
  }
}

output "visibility_timeout" {
  description = "Seconds."
  value       = aws_sqs_queue.this.visibility_timeout_seconds
}

output "max_receive_count" {
  description = "After how many deliveries SQS itself moves a message to the dead-letter queue."
  value       = jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount
}
