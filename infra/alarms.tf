# Alarms beside those of each function (modules/function) and queue (modules/queue). This one: auto-response
# is on and does not run. EventBridge triggered the rule, and no run finished.

# The namespace of the metrics that the functions write themselves (src/metrics.rs).

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

  # EventBridge counts the invocations of a rule; a rule that is off has no data.
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
      metric_name = "ScheduledRuns"
      stat        = "Sum"
      period      = 300
    }
  }
}

# Each failed fix is in its finding's message too. Many at once mean that a role or a policy lacks a permission.
resource "aws_cloudwatch_metric_alarm" "failed_fixes" {
  alarm_name          = "${var.name_prefix}-failed-fixes"
  alarm_description   = "Five or more fixes have failed within five minutes. Their findings say why; the dashboard counts them by reason."
  namespace           = local.metrics_namespace
  metric_name         = "FixesFailed"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# Slack is down, or the app may not post. People get no messages meanwhile, so that this alarm reaches them
# only by the alarms' topic.
resource "aws_cloudwatch_metric_alarm" "silent_slack" {
  alarm_name          = "${var.name_prefix}-silent-slack"
  alarm_description   = "Slack has turned calls down for fifteen minutes. Findings wait, and are shown when it takes them again."
  namespace           = local.metrics_namespace
  metric_name         = "SlackErrors"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# A schedule cannot invoke its target: auto-response does not run, or ignores do not end.
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
