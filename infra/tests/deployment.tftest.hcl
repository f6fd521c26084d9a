# A deployment with the required variables only: what it builds, and how its parts are connected.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "auto_response_begins_switched_off" {
  assert {
    condition     = aws_cloudwatch_event_rule.auto_response.state == "DISABLED"
    error_message = "Auto-response must be switched off unless it was asked for."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.housekeeping.state == "ENABLED"
    error_message = "Housekeeping runs whether or not auto-response does."
  }

  assert {
    condition     = length(output.functions) == 7 && aws_cloudwatch_event_target.auto_response.arn == module.function["coordinator"].arn
    error_message = "All seven functions are built, and the schedule's target is the coordinator."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_target.housekeeping.input) == { notice = "housekeeping" }
    error_message = "Housekeeping is a notice on the events queue."
  }

  assert {
    condition     = output.slack_request_url == "https://mock.lambda-url.eu-central-1.on.aws/slack/events"
    error_message = "Slack's requests go to one path of the function URL."
  }

  assert {
    condition     = aws_lambda_permission.function_by_url.invoked_via_function_url && aws_lambda_permission.function_url.function_url_auth_type == "NONE"
    error_message = "Since November 2026 a public function URL needs both permissions."
  }
}

run "a_later_apply_leaves_the_switch_alone" {
  variables {
    enable_auto_response = true
  }

  assert {
    condition     = aws_cloudwatch_event_rule.auto_response.state == "DISABLED"
    error_message = "Once the rule exists, /dd autoresponse decides."
  }
}

run "auto_response_on_from_the_start" {
  state_key = "on"

  variables {
    enable_auto_response = true
  }

  assert {
    condition     = aws_cloudwatch_event_rule.auto_response.state == "ENABLED"
    error_message = "enable_auto_response creates the rule enabled."
  }
}

run "only_what_the_notifier_uses_reaches_it" {
  assert {
    condition     = toset(keys(aws_sns_topic_subscription.events)) == toset(["alarms", "config"])
    error_message = "The events queue hears two topics."
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.events : subscription.filter_policy_scope == "MessageBody" && subscription.protocol == "sqs"])
    error_message = "Filters look at the message's body: neither service sets attributes."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.events["config"].filter_policy) == { messageType = ["ComplianceChangeNotification"] }
    error_message = "Of AWS Config's notifications only compliance changes are used."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.events["alarms"].filter_policy) == { NewStateValue = ["ALARM"] }
    error_message = "Of alarms only those that go off are used."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.compliance) == 0
    error_message = "With a topic, EventBridge would only tell everything twice."
  }
}

run "other_alarm_topics_are_heard_with_the_same_filter" {
  variables {
    more_alarm_topic_arns = ["arn:aws:sns:eu-central-1:123456789012:DD_BP_SNS_Monitoring_Topic"]
    alarm_email_addresses = ["oncall@example.com"]
  }

  assert {
    condition     = length(aws_sns_topic_subscription.events) == 3 && alltrue([for name, subscription in aws_sns_topic_subscription.events : name == "config" || jsondecode(subscription.filter_policy) == { NewStateValue = ["ALARM"] }])
    error_message = "A topic of alarms is filtered as ours is."
  }

  assert {
    condition     = aws_sns_topic_subscription.email["oncall@example.com"].topic_arn == aws_sns_topic.alarms.arn
    error_message = "Alarms go by e-mail too."
  }
}

run "every_queue_has_dead_letters_that_are_kept_longer" {
  assert {
    condition     = toset(keys(module.queue)) == toset(["events", "remediation", "fix", "ec2", "s3", "security-group", "s3-bucket"])
    error_message = "There is a queue for each service, and the older ones."
  }

  assert {
    condition     = alltrue([for queue in module.queue : queue.dead_letters_name == "${queue.name}-dead-letters" && queue.max_receive_count == (endswith(queue.name, "-remediation") ? 501 : 61)])
    error_message = "The functions park by name, after 60 deliveries; the remediation queue is looked at too."
  }

  assert {
    condition     = alltrue([for queue in module.queue : queue.retention_seconds.dead_letters > queue.retention_seconds.queue])
    error_message = "A message's age counts on in the dead-letter queue."
  }

  assert {
    condition     = alltrue([for function in local.functions : module.queue[function.source_queue].visibility_timeout >= 6 * function.timeout if can(function.source_queue)])
    error_message = "A message stays unseen for at least six times the function's timeout."
  }
}

run "tasks_in_the_queues_of_version_0_1_are_done" {
  assert {
    condition     = { for name, function in local.functions : name => function.older_queue if can(coalesce(function.older_queue)) } == { ec2-remediator = "security-group", s3-remediator = "s3-bucket" }
    error_message = "The new remediators are triggered by the older queues too."
  }

  assert {
    condition     = local.settings.DEFENDABLE_EC2_QUEUE_URL == module.queue["ec2"].url && local.settings.DEFENDABLE_SECURITY_GROUP_QUEUE_URL == module.queue["security-group"].url
    error_message = "The functions know both queues."
  }
}

run "older_queues_go_when_they_are_not_kept" {
  state_key = "without-older-queues"

  variables {
    keep_older_queues = false
  }

  assert {
    condition     = toset(keys(module.queue)) == toset(["events", "remediation", "fix", "ec2", "s3"]) && !contains(keys(local.settings), "DEFENDABLE_SECURITY_GROUP_QUEUE_URL")
    error_message = "There is a queue for each service."
  }
}

run "alarms_reach_the_channel" {
  assert {
    condition     = alltrue([for alarm in [aws_cloudwatch_metric_alarm.missed_schedule, aws_cloudwatch_metric_alarm.failed_fixes, aws_cloudwatch_metric_alarm.silent_slack] : contains(alarm.alarm_actions, aws_sns_topic.alarms.arn)]) && alltrue([for alarm in aws_cloudwatch_metric_alarm.failed_schedule : contains(alarm.alarm_actions, aws_sns_topic.alarms.arn)])
    error_message = "Alarms go to the topic that the events queue hears."
  }

  assert {
    condition     = aws_sns_topic_subscription.events["alarms"].topic_arn == aws_sns_topic.alarms.arn
    error_message = "The events queue hears the alarms' topic."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 13
    error_message = "The dashboard has its graphs."
  }
}

run "two_deployments_share_no_name" {
  state_key = "two"

  variables {
    name_prefix = "second"
  }

  assert {
    condition = alltrue([for name in concat(
      values(output.functions), [for queue in module.queue : queue.name],
      [aws_dynamodb_table.findings.name, aws_cloudwatch_event_rule.auto_response.name, aws_cloudwatch_event_rule.housekeeping.name],
      [aws_sns_topic.alarms.name, aws_sns_topic.config[0].name, aws_config_configuration_recorder.this[0].name],
      [for rule in aws_config_config_rule.custom : rule.name], [for rule in aws_config_config_rule.managed : rule.name],
      [for alarm in aws_cloudwatch_metric_alarm.failed_schedule : alarm.alarm_name], [aws_cloudwatch_dashboard.this.dashboard_name],
    ) : startswith(name, "second")])
    error_message = "Every name begins with the prefix."
  }

  assert {
    condition     = alltrue([for name in local.secret_names : startswith(name, "/second/")]) && aws_kms_alias.this.name == "alias/second"
    error_message = "Parameters and the key's alias have the prefix too."
  }

  assert {
    condition     = aws_config_config_rule.custom["restricted-ports"].name == local.settings.DEFENDABLE_RESTRICTED_PORTS_RULES
    error_message = "The functions know the rule by the name that it has."
  }
}
