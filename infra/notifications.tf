# Messages from outside to the events queue: compliance changes and alarms, nothing else.

locals {
  # Topics by what they carry. These keys are known at plan, where ARNs may not be.
  event_topics = merge(
    { alarms = aws_sns_topic.alarms.arn },
    var.create_config_recorder || var.config_topic_arn != null ? { config = local.config_topic_arn } : {},
    { for arn in var.more_alarm_topic_arns : "alarms-${arn}" => arn },
  )

  # The notifier handles these message types, and ignores every other.
  event_filters = {
    alarms = { NewStateValue = ["ALARM"] }
    config = { messageType = ["ComplianceChangeNotification"] }
  }

  own_topics = merge(
    { alarms = { arn = aws_sns_topic.alarms.arn, publisher = "cloudwatch.amazonaws.com" } },
    var.create_config_recorder ? { config = { arn = aws_sns_topic.config[0].arn, publisher = "config.amazonaws.com" } } : {},
  )
}

resource "aws_sns_topic_subscription" "events" {
  for_each = local.event_topics

  topic_arn           = each.value
  protocol            = "sqs"
  endpoint            = module.queue["events"].arn
  filter_policy_scope = "MessageBody"
  filter_policy       = jsonencode(local.event_filters[startswith(each.key, "alarms") ? "alarms" : each.key])

  # After the policy that lets the topic send to the queue.
  depends_on = [module.queue]
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name_prefix}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.publish["alarms"].json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarm_email_addresses)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

data "aws_iam_policy_document" "publish" {
  for_each = local.own_topics

  statement {
    actions   = ["sns:Publish"]
    resources = [each.value.arn]

    principals {
      type        = "Service"
      identifiers = [each.value.publisher]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

# The same changes by EventBridge, for a recorder whose topic cannot be used.
resource "aws_cloudwatch_event_rule" "compliance" {
  count = !var.create_config_recorder && var.config_topic_arn == null ? 1 : 0

  name        = "${var.name_prefix}-compliance"
  description = "Compliance changes, to the events queue"
  event_pattern = jsonencode({
    source      = ["aws.config"]
    detail-type = ["Config Rules Compliance Change"]
    detail      = { messageType = ["ComplianceChangeNotification"] }
  })
}

resource "aws_cloudwatch_event_target" "compliance" {
  count = length(aws_cloudwatch_event_rule.compliance)

  rule = aws_cloudwatch_event_rule.compliance[0].name
  arn  = module.queue["events"].arn
}
