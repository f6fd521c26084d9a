# The fourteen alarms of the CIS benchmark on CloudTrail's log group. cis_alarms.json has their
# patterns, levels and severities; the notifier reads the severities from the same file.

locals {
  cis_log_group = var.enable_cloudtrail ? one(aws_cloudwatch_log_group.cloudtrail[*].name) : var.cloudtrail_log_group

  cis_level = { none = 0, level-1 = 1, level-2 = 2 }[var.cis_alarms]
  cis_alarms = {
    for name, alarm in jsondecode(file("${path.module}/cis_alarms.json")) : name => alarm
    if alarm.level <= local.cis_level
  }
}

resource "aws_cloudwatch_log_metric_filter" "cis" {
  for_each = local.cis_alarms

  name           = "${var.name_prefix}-${each.key}"
  log_group_name = local.cis_log_group
  pattern        = each.value.pattern

  metric_transformation {
    name          = each.key
    namespace     = local.metrics_namespace
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "cis" {
  for_each = local.cis_alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = local.metrics_namespace
  metric_name         = aws_cloudwatch_log_metric_filter.cis[each.key].metric_transformation[0].name
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
