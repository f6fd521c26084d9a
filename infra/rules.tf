# AWS Config's rules: ours on security groups and buckets, and those that AWS runs itself.

locals {
  custom_rules = {
    restricted-ports = {
      description    = "Security groups that open prohibited ports to the internet"
      resource_types = ["AWS::EC2::SecurityGroup"]
      parameters = {
        prohibitedPorts      = join(",", var.prohibited_ports)
        exemptSecurityGroups = join(",", var.exempt_security_groups)
        broadestIpv4         = tostring(var.broadest_ipv4)
        broadestIpv6         = tostring(var.broadest_ipv6)
      }
    }
    s3-public-access = {
      description = "Buckets that are public by their ACL or policy"
      # Lowering the account's block makes buckets public, and sends no item of these buckets.
      resource_types = ["AWS::S3::Bucket", "AWS::S3::AccountPublicAccessBlock"]
      parameters     = { bucketWhitelist = join(",", var.bucket_whitelist) }
    }
  }

  managed_rules = merge(
    {
      iam-password-policy = {
        identifier     = "IAM_PASSWORD_POLICY"
        resource_types = []
        parameters = {
          RequireUppercaseCharacters = "true"
          RequireLowercaseCharacters = "true"
          RequireSymbols             = "true"
          RequireNumbers             = "true"
          MinimumPasswordLength      = "14"
          PasswordReusePrevention    = "24"
          MaxPasswordAge             = "90"
        }
      }
      cloudtrail-enabled = {
        identifier     = "CLOUD_TRAIL_ENABLED"
        resource_types = []
        parameters     = {}
      }
    },
    var.managed_rules,
  )

  rule_names = { for name, rule in local.custom_rules : name => "${var.name_prefix}-${name}" }
}

resource "aws_config_config_rule" "custom" {
  for_each = local.custom_rules

  name        = local.rule_names[each.key]
  description = each.value.description
  # AWS Config takes no empty parameter values.
  input_parameters = jsonencode({ for name, value in each.value.parameters : name => value if value != "" })

  scope {
    compliance_resource_types = each.value.resource_types
  }

  source {
    owner             = "CUSTOM_LAMBDA"
    source_identifier = module.function["${each.key}-rule"].arn

    source_detail {
      message_type = "ConfigurationItemChangeNotification"
    }

    # A large item comes without its configuration, which the rule then reads from AWS Config.
    source_detail {
      message_type = "OversizedConfigurationItemChangeNotification"
    }
  }

  lifecycle {
    # https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html
    precondition {
      condition     = length(jsonencode(each.value.parameters)) <= 1024
      error_message = "AWS Config takes 1,024 characters of parameters for a rule: shorten prohibited_ports, exempt_security_groups or bucket_whitelist."
    }
  }

  # AWS Config invokes a rule when its scope changes, and the rule's jobs are for the notifier's newest code.
  depends_on = [
    aws_config_configuration_recorder_status.this,
    aws_lambda_permission.config,
    module.function,
  ]
}

resource "aws_lambda_permission" "config" {
  for_each = local.custom_rules

  statement_id   = "AwsConfig"
  action         = "lambda:InvokeFunction"
  function_name  = module.function["${each.key}-rule"].name
  principal      = "config.amazonaws.com"
  source_account = local.account
}

resource "aws_config_config_rule" "managed" {
  for_each = local.managed_rules

  name             = "${var.name_prefix}-${each.key}"
  input_parameters = length(each.value.parameters) == 0 ? null : jsonencode(each.value.parameters)

  dynamic "scope" {
    for_each = length(each.value.resource_types) == 0 ? [] : [each.value.resource_types]

    content {
      compliance_resource_types = scope.value
    }
  }

  source {
    owner             = "AWS"
    source_identifier = each.value.identifier
  }

  depends_on = [aws_config_configuration_recorder_status.this]
}
