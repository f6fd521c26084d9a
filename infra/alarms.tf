# Beside the alarms of each function (modules/function) and queue (modules/queue): auto-response
# that is on but does not run. The rule was triggered, yet no run finished.

resource "aws_cloudwatch_log_metric_filter" "scheduled_runs" {
  name           = "${var.name_prefix}-scheduled-runs"
  log_group_name = module.function["coordinator"].log_group
  # As the coordinator logs at the end of each run.
  pattern = "{ $.message = \"scheduled run\" }"

  metric_transformation {
    name      = "ScheduledRuns"
    namespace = local.metrics_namespace
    value     = "1"
    # So that a coordinator that logs anything but this counts as one that has not run.
    default_value = "0"
  }
}

locals {
  metrics_namespace = "Defendable/${var.name_prefix}"
}

resource "aws_cloudwatch_metric_alarm" "missed_schedule" {
  alarm_name          = "${var.name_prefix}-missed-schedule"
  alarm_description   = "Auto-response is on, but no run of the coordinator has finished for ten minutes. Nothing is fixed automatically meanwhile."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "missed"
    label       = "Triggered, but not run"
    expression  = "IF(FILL(triggered, 0) > 0 AND FILL(runs, 0) == 0, 1, 0)"
    return_data = true
  }

  # EventBridge counts what a rule invokes, and says nothing of a rule that is off.
  metric_query {
    id = "triggered"

    metric {
      namespace   = "AWS/Events"
      metric_name = "Invocations"
      dimensions  = { RuleName = aws_cloudwatch_event_rule.auto_response.name }
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "runs"

    metric {
      namespace   = local.metrics_namespace
      metric_name = aws_cloudwatch_log_metric_filter.scheduled_runs.metric_transformation[0].name
      stat        = "Sum"
      period      = 300
    }
  }
}

# A schedule that cannot reach its target: auto-response would stand still, or ignores never end.
resource "aws_cloudwatch_metric_alarm" "failed_schedule" {
  for_each = {
    auto-response = aws_cloudwatch_event_rule.auto_response.name
    housekeeping  = aws_cloudwatch_event_rule.housekeeping.name
  }

  alarm_name          = "${var.name_prefix}-failed-${each.key}"
  alarm_description   = "EventBridge could not invoke the target of the rule ${each.value}."
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
