# The queues, each with its dead-letter queue, and the services outside that may send to them.

locals {
  queues = merge(local.own_queues, local.task_queues)

  own_queues = {
    # Notifications, alarms, reports, notices and jobs, all for the notifier.
    events = { visibility_timeout = 6 * local.own_functions["notifier"].timeout, retention_days = 10, max_age_seconds = 900 }
    # Violations wait here while auto-response is off. The queue triggers no function: each run of the
    # coordinator receives from it.
    remediation = { visibility_timeout = 180, retention_days = 13, max_age_seconds = null, deliveries = 500 }
    # Fixes that people asked for.
    fix = { visibility_timeout = 6 * local.own_functions["coordinator"].timeout, retention_days = 4, max_age_seconds = 300 }
  }

  # Tasks for the remediators.
  task_queues = {
    for queue in concat(keys(local.services), values(local.older_queues)) :
    queue => { visibility_timeout = 6 * 60, retention_days = 4, max_age_seconds = 900 }
  }

  # The names are known before the queues exist, so that roles and policies can use them without a cycle.
  queue_arns = {
    for name, queue in local.queues :
    name => "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name_prefix}-${name}"
  }
  senders_policies = {
    events      = data.aws_iam_policy_document.events_queue.json
    remediation = one(data.aws_iam_policy_document.remediation_queue[*].json)
  }
  dead_letter_arns = { for name, arn in local.queue_arns : name => "${arn}-dead-letters" }
}

module "queue" {
  source   = "./modules/queue"
  for_each = local.queues

  name               = "${var.name_prefix}-${each.key}"
  visibility_timeout = each.value.visibility_timeout
  retention_days     = each.value.retention_days
  max_age_seconds    = each.value.max_age_seconds
  deliveries         = try(each.value.deliveries, 60)
  senders_policy     = try(local.senders_policies[each.key], null)
  alarm_topic_arn    = aws_sns_topic.alarms.arn
}

data "aws_iam_policy_document" "events_queue" {
  statement {
    sid       = "Topics"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns["events"]]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = values(local.event_topics)
    }
  }

  statement {
    sid       = "Schedules"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns["events"]]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = concat([aws_cloudwatch_event_rule.housekeeping.arn], aws_cloudwatch_event_rule.compliance[*].arn)
    }
  }
}

data "aws_iam_policy_document" "remediation_queue" {
  count = length(var.remediation_request_senders) == 0 ? 0 : 1

  statement {
    sid       = "OtherRules"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns["remediation"]]

    principals {
      type        = "AWS"
      identifiers = var.remediation_request_senders
    }
  }
}
