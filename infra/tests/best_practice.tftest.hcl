# DD-AWS's best-practice set, each part by its switch.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "nothing_of_it_unless_asked_for" {
  state_key = "off"

  assert {
    condition     = length(aws_cloudtrail.this) + length(aws_iam_account_password_policy.this) + length(aws_cloudwatch_metric_alarm.cis) == 0
    error_message = "An account's own settings are left alone."
  }
}

run "all_of_it" {
  state_key = "on"

  variables {
    enable_cloudtrail      = true
    enable_password_policy = true
    cis_alarms             = "level-2"
  }

  assert {
    condition     = aws_cloudtrail.this[0].is_multi_region_trail && aws_cloudtrail.this[0].enable_log_file_validation && aws_cloudtrail.this[0].kms_key_id == aws_kms_key.this.arn
    error_message = "The trail covers all regions, is validated and encrypted."
  }

  assert {
    condition     = aws_cloudtrail.this[0].cloud_watch_logs_group_arn == "${aws_cloudwatch_log_group.cloudtrail[0].arn}:*"
    error_message = "The trail writes to CloudWatch Logs."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.cis) == 14 && alltrue([for filter in aws_cloudwatch_log_metric_filter.cis : filter.log_group_name == "/defendable/cloudtrail" && length(filter.pattern) <= 1024])
    error_message = "Fourteen alarms read the trail's log group, with patterns that CloudWatch takes."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.cis : contains(alarm.alarm_actions, aws_sns_topic.alarms.arn)])
    error_message = "They reach the channel."
  }

  assert {
    condition     = aws_iam_account_password_policy.this[0].minimum_password_length == 14 && aws_iam_account_password_policy.this[0].max_password_age == 90
    error_message = "The password policy is the benchmark's."
  }
}

run "level_1_on_a_log_group_of_yours" {
  state_key = "level_1"

  variables {
    cis_alarms           = "level-1"
    cloudtrail_log_group = "existing"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.cis) == 9 && alltrue([for filter in aws_cloudwatch_log_metric_filter.cis : filter.log_group_name == "existing"])
    error_message = "Nine alarms are of level 1."
  }
}
