# Values that AWS or the functions would refuse later are refused at plan.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "names" {
  command = plan

  variables {
    name_prefix   = "Defendable_"
    slack_channel = "#alerts"
    slack_team_id = "workspace"
    slack_app_id  = "defendable"
    operators     = ["alice"]
    architecture  = "riscv"
    log_level     = "loud"
    cis_alarms    = "all"
  }

  expect_failures = [
    var.name_prefix, var.slack_channel, var.slack_team_id, var.slack_app_id, var.operators, var.architecture,
    var.log_level, var.cis_alarms,
  ]
}

run "routing_that_the_functions_refuse" {
  command = plan

  variables {
    operators           = ["U0123456@12"]
    two_person_accounts = ["production"]
    routing             = { routes = [{ channel = "C0ALERTS" }] }
  }

  expect_failures = [var.operators, var.two_person_accounts, var.routing]
}

run "severities_that_the_functions_refuse" {
  command = plan

  variables {
    routing = { mention = "@oncall", severities = { a-rule = "awful" } }
  }

  expect_failures = [var.routing]
}

run "ports_that_the_functions_refuse" {
  command = plan

  variables {
    prohibited_ports = ["22", "70000"]
  }

  expect_failures = [var.prohibited_ports]
}

run "ranges_that_the_functions_refuse" {
  command = plan

  variables {
    prohibited_ports = ["5433-5432"]
  }

  expect_failures = [var.prohibited_ports]
}

run "more_parameters_than_aws_config_takes" {
  command = plan

  variables {
    exempt_security_groups = [for number in range(50) : format("sg-%017x", number)]
  }

  expect_failures = [aws_config_config_rule.custom]
}

run "numbers" {
  command = plan

  variables {
    blast_radius          = 0
    slack_concurrency     = 0
    slack_secrets_version = 0
    log_retention_days    = 2
    bucket_retention_days = 0
  }

  expect_failures = [
    var.blast_radius, var.slack_concurrency, var.slack_secrets_version, var.log_retention_days,
    var.bucket_retention_days,
  ]
}

run "rules" {
  command = plan

  variables {
    prohibited_ports            = ["ssh"]
    broadest_ipv4               = 0
    broadest_ipv6               = 129
    exempt_security_groups      = ["default"]
    bucket_whitelist            = ["Not A Bucket"]
    recorded_resource_types     = ["AWS::EC2::SecurityGroup"]
    managed_rules               = { root-mfa = { identifier = "root mfa" } }
    remediation_request_senders = ["DD_Config_Role_EC2_OpenPorts"]
    alarm_email_addresses       = ["oncall"]
    more_alarm_topic_arns       = ["alarms"]
  }

  expect_failures = [
    var.prohibited_ports, var.broadest_ipv4, var.broadest_ipv6, var.exempt_security_groups, var.bucket_whitelist, var.recorded_resource_types,
    var.managed_rules, var.remediation_request_senders, var.alarm_email_addresses, var.more_alarm_topic_arns,
  ]
}

run "a_topic_without_its_recorder" {
  command = plan

  variables {
    config_topic_arn = "arn:aws:sns:eu-central-1:123456789012:config-topic"
  }

  expect_failures = [var.config_topic_arn]
}

run "alarms_without_a_log_group" {
  command = plan

  variables {
    cis_alarms = "level-1"
  }

  expect_failures = [var.cis_alarms]
}

run "secrets" {
  command = plan

  variables {
    slack_bot_token      = "xoxp-a-user-token"
    slack_signing_secret = "hush"
  }

  expect_failures = [var.slack_bot_token, var.slack_signing_secret]
}
