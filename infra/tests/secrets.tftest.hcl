# Secrets are in neither the plan nor the state.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "secrets_only_pass_through" {
  assert {
    condition     = aws_ssm_parameter.bot_token.type == "SecureString" && aws_ssm_parameter.bot_token.value_wo == null && aws_ssm_parameter.signing_secret.value_wo == null
    error_message = "Write-only arguments are not kept."
  }

  assert {
    condition     = !strcontains(jsonencode([aws_ssm_parameter.bot_token, aws_ssm_parameter.signing_secret]), "hush") && !strcontains(jsonencode(aws_ssm_parameter.signing_secret), "0123456789abcdef")
    error_message = "No attribute of the parameters holds a secret."
  }

  assert {
    condition     = local.settings.DEFENDABLE_SLACK_BOT_TOKEN_PARAMETER == "/defendable/slack/bot-token" && !strcontains(jsonencode(local.settings), "xoxb")
    error_message = "The functions' environment has the names of the parameters, not their values."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_ssm_parameter.bot_token.key_id == aws_kms_key.this.arn
    error_message = "The parameters are encrypted by a key that rotates."
  }
}

run "a_rotation_is_a_new_version" {
  variables {
    slack_signing_secret  = "0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210"
    slack_secrets_version = 2
  }

  assert {
    condition     = aws_ssm_parameter.signing_secret.value_wo_version == 2
    error_message = "A raised version stores the new secrets."
  }
}
