# AWS Config: our own recorder, or one that the account has already.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "our_own_recorder_records_everything" {
  state_key = "own"

  assert {
    condition     = aws_config_configuration_recorder.this[0].recording_group[0].all_supported && aws_config_configuration_recorder_status.this[0].is_enabled
    error_message = "The recorder records all types, and runs."
  }

  assert {
    condition     = aws_config_delivery_channel.this[0].sns_topic_arn == aws_sns_topic.config[0].arn
    error_message = "It tells our topic."
  }
}

run "only_the_types_that_are_asked_for" {
  state_key = "types"

  variables {
    recorded_resource_types = ["AWS::EC2::SecurityGroup", "AWS::S3::Bucket"]
  }

  assert {
    condition     = !aws_config_configuration_recorder.this[0].recording_group[0].all_supported && aws_config_configuration_recorder.this[0].recording_group[0].recording_strategy[0].use_only == "INCLUSION_BY_RESOURCE_TYPES"
    error_message = "A list of types excludes the others."
  }
}

run "an_existing_recorder_and_its_topic" {
  state_key = "existing"

  variables {
    create_config_recorder = false
    config_topic_arn       = "arn:aws:sns:eu-central-1:123456789012:config-topic"
  }

  assert {
    condition     = length(aws_config_configuration_recorder.this) + length(aws_config_delivery_channel.this) + length(module.config_bucket) + length(aws_sns_topic.config) == 0
    error_message = "Nothing of the recorder's is built."
  }

  assert {
    condition     = aws_sns_topic_subscription.events["config"].topic_arn == var.config_topic_arn
    error_message = "The events queue hears the existing topic."
  }
}

run "an_existing_recorder_whose_topic_is_out_of_reach" {
  state_key = "control_tower"

  variables {
    create_config_recorder = false
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.events) == ["alarms"]
    error_message = "There is no topic of AWS Config's to hear."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.compliance[0].event_pattern).detail-type == ["Config Rules Compliance Change"] && aws_cloudwatch_event_target.compliance[0].arn == module.queue["events"].arn
    error_message = "Compliance changes come by EventBridge."
  }
}

run "rules" {
  state_key = "rules"

  variables {
    managed_rules = { root-mfa = { identifier = "ROOT_ACCOUNT_MFA_ENABLED" } }
  }

  assert {
    condition = alltrue([for rule in aws_config_config_rule.custom : toset([for detail in rule.source[0].source_detail : detail.message_type]) ==
    toset(["ConfigurationItemChangeNotification", "OversizedConfigurationItemChangeNotification"])])
    error_message = "Our rules are triggered by changes, and by items too large to be sent."
  }

  assert {
    condition     = jsondecode(aws_config_config_rule.custom["restricted-ports"].input_parameters) == { broadestIpv4 = "8", broadestIpv6 = "32", prohibitedPorts = "22,1433,3306,3389" }
    error_message = "The rule has DD-AWS's ports, and no empty parameters."
  }

  assert {
    condition     = toset([for rule in aws_config_config_rule.managed : rule.source[0].source_identifier]) == toset(["IAM_PASSWORD_POLICY", "CLOUD_TRAIL_ENABLED", "ROOT_ACCOUNT_MFA_ENABLED"])
    error_message = "AWS's own rules, with one more."
  }

  assert {
    condition     = jsondecode(aws_config_config_rule.managed["iam-password-policy"].input_parameters).MinimumPasswordLength == "14"
    error_message = "The password rule has DD-AWS's parameters."
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.config : permission.source_account == "123456789012"])
    error_message = "Only this account's AWS Config may invoke the rules."
  }
}
