# Slack's secrets, as write-only arguments, which are in neither the plan nor the state.

locals {
  secret_names = {
    bot_token      = "/${var.name_prefix}/slack/bot-token"
    signing_secret = "/${var.name_prefix}/slack/signing-secret"
  }
  secret_arns = {
    for secret, name in local.secret_names :
    secret => "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${name}"
  }
}

resource "aws_ssm_parameter" "bot_token" {
  name             = local.secret_names.bot_token
  description      = "The Slack app's bot token"
  type             = "SecureString"
  key_id           = aws_kms_key.this.arn
  value_wo         = var.slack_bot_token
  value_wo_version = var.slack_secrets_version
}

resource "aws_ssm_parameter" "signing_secret" {
  name             = local.secret_names.signing_secret
  description      = "The Slack app's signing secret; two with a comma while one replaces the other"
  type             = "SecureString"
  key_id           = aws_kms_key.this.arn
  value_wo         = var.slack_signing_secret
  value_wo_version = var.slack_secrets_version
}
