# The permissions of the functions' roles. A test of the code compares them with what the code calls.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rights_are_on_resources_of_the_partition" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov" }
  }

  # AWS gives the ARNs of resources that Terraform makes; those of the mocks begin in another way.
  assert {
    condition = alltrue(flatten([for statements in local.permissions : [for statement in statements :
    [for resource in statement.resources : !startswith(resource, "arn:") || startswith(resource, "arn:aws-us-gov:")]]]))
    error_message = "Every ARN that is put together here has the partition of the account."
  }

  assert {
    condition     = length([for arn in flatten([for statements in local.permissions : statements[*].resources]) : arn if startswith(arn, "arn:aws-us-gov:s3:::")]) > 0
    error_message = "The remediators' buckets are among them."
  }
}

run "rights_are_on_named_resources" {
  # The actions without resource-level permissions.
  variables {
    exempt_security_groups = ["sg-0123456789abcdef0"]
    bucket_whitelist       = ["website"]
  }

  assert {
    condition = alltrue(flatten([for name, statements in local.permissions : [for statement in statements :
      !contains(statement.resources, "*") || alltrue([for action in statement.actions :
    can(regex("^(cloudtrail:LookupEvents|config:|ec2:Describe|s3:GetAccountPublicAccessBlock$)", action))])]]))
    error_message = "Only AWS Config, EC2's Describe, CloudTrail's LookupEvents and S3's settings of an account have no resources to name."
  }

  assert {
    condition     = alltrue(flatten([for statements in local.permissions : [for statement in statements : [for action in statement.actions : !strcontains(action, "*")]]]))
    error_message = "No action has a wildcard."
  }

  assert {
    condition = [for name, statements in local.permissions : name if anytrue(flatten([for statement in statements :
    [for action in statement.actions : can(regex("^(ec2:Authorize|ec2:Revoke|s3:Put|s3:Delete)", action))]]))] == ["ec2-remediator", "s3-remediator"]
    error_message = "Only the remediators change resources."
  }

  assert {
    condition = alltrue(flatten([for statements in local.permissions : [for statement in statements :
    length(statement.conditions) > 0 if anytrue([for action in statement.actions : can(regex("^(ec2:|kms:|s3:(Get)?(Bucket|Delete|Put))", action))])]]))
    error_message = "Rights on groups, buckets and the key have conditions."
  }

  assert {
    condition     = [for name, statements in local.permissions : name if contains(flatten([for statement in statements : statement.resources]), local.secret_arns.signing_secret)] == ["slack"]
    error_message = "Only the Slack function reads the signing secret."
  }

  assert {
    condition     = [for name, statements in local.permissions : name if contains(flatten([for statement in statements : statement.actions]), "events:EnableRule")] == ["slack"]
    error_message = "Only the Slack function switches auto-response on."
  }
}

run "a_remediator_calls_what_its_controls_declare" {
  assert {
    condition = alltrue([for service in ["ec2", "s3"] : toset(flatten([for statement in local.permissions["${service}-remediator"] : [for action in statement.actions : action if startswith(action, "${service}:")]]))
    == toset(flatten([for control in local.controls : concat(control.plan, control.apply) if control.service == service]))])
    error_message = "A remediator's role has the actions of its service's controls, and no other of that service."
  }

  assert {
    condition     = toset(flatten([for statement in local.permissions.notifier : [for action in statement.actions : action if can(regex("^(ec2|s3):", action))]])) == toset(flatten([for control in local.controls : control.plan]))
    error_message = "The notifier looks as the remediators do, and changes nothing."
  }
}

run "what_is_exempt_is_out_of_reach" {
  variables {
    exempt_security_groups = ["sg-0123456789abcdef0"]
    bucket_whitelist       = ["website"]
  }

  assert {
    condition     = local.denials["ec2-remediator"][0].effect == "Deny" && local.denials["ec2-remediator"][0].resources == ["arn:aws:ec2:eu-central-1:123456789012:security-group/sg-0123456789abcdef0"]
    error_message = "An exempt group is denied."
  }

  assert {
    condition     = local.denials["s3-remediator"][0].resources == ["arn:aws:s3:::website"]
    error_message = "A bucket that may be public is denied."
  }
}

run "a_function_s_role" {
  state_key = "function"

  module {
    source = "./modules/function"
  }

  variables {
    name               = "defendable-notifier"
    handler            = "notifier"
    description        = "A function"
    architecture       = "arm64"
    memory_size        = 256
    timeout            = 60
    concurrency        = -1
    settings           = { DEFENDABLE_FINDINGS_TABLE = "findings" }
    source_queue_arn   = "arn:aws:sqs:eu-central-1:123456789012:defendable-events"
    log_level          = "info"
    log_retention_days = 30
    kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/k"
    alarm_topic_arn    = "arn:aws:sns:eu-central-1:123456789012:alarms"
    statements = [{
      actions    = ["s3:GetBucketAcl"]
      resources  = ["arn:aws:s3:::*"]
      conditions = [{ test = "StringEquals", variable = "s3:ResourceAccount", values = ["123456789012"] }]
    }]
  }

  assert {
    condition     = data.aws_iam_policy_document.this.statement[0].actions == toset(["s3:GetBucketAcl"]) && one(data.aws_iam_policy_document.this.statement[0].condition).variable == "s3:ResourceAccount"
    error_message = "The statement is the policy's, with its condition."
  }

  assert {
    condition     = data.aws_iam_policy_document.this.statement[1].actions == toset(["logs:CreateLogStream", "logs:PutLogEvents"]) && !contains(data.aws_iam_policy_document.this.statement[1].resources, "*")
    error_message = "A function writes to its own log group."
  }

  assert {
    condition     = data.aws_iam_policy_document.this.statement[2].resources == toset([var.source_queue_arn])
    error_message = "Lambda takes messages from the source queue only."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "A failed message must not bring its whole batch back."
  }

  assert {
    condition     = aws_lambda_function.this.handler == "notifier" && aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.runtime == "provided.al2023"
    error_message = "The handler names the function of the package."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "Logs are encrypted and end."
  }

  assert {
    condition     = toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.metric_name]) == toset(["Errors", "Throttles"]) && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([var.alarm_topic_arn])])
    error_message = "Errors and throttles raise alarms."
  }
}

run "what_a_rule_gives_up_is_kept" {
  state_key = "rule"

  module {
    source = "./modules/function"
  }

  variables {
    name               = "defendable-restricted-ports-rule"
    handler            = "restricted-ports-rule"
    description        = "A rule"
    architecture       = "x86_64"
    memory_size        = 256
    timeout            = 30
    concurrency        = -1
    settings           = {}
    failures_queue_arn = "arn:aws:sqs:eu-central-1:123456789012:defendable-events"
    log_level          = "info"
    log_retention_days = 30
    kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/k"
    alarm_topic_arn    = "arn:aws:sns:eu-central-1:123456789012:alarms"
    statements         = [{ actions = ["config:PutEvaluations"], resources = ["*"] }]
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == var.failures_queue_arn && aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2
    error_message = "An event of AWS Config is tried again, and kept when it is given up."
  }

  assert {
    condition     = data.aws_iam_policy_document.this.statement[2].actions == toset(["sqs:SendMessage"]) && data.aws_iam_policy_document.this.statement[2].resources == toset([var.failures_queue_arn])
    error_message = "Lambda may send there in the function's name."
  }
}
