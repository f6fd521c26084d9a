# AWS Config: recorder, delivery channel, bucket and topic, unless the region has them already.

locals {
  recorder_count = var.create_config_recorder ? 1 : 0

  config_topic_arn = var.create_config_recorder ? aws_sns_topic.config[0].arn : var.config_topic_arn
}

resource "aws_config_configuration_recorder" "this" {
  #checkov:skip=CKV2_AWS_48:Which types are recorded is the variable recorded_resource_types; all by default
  count = local.recorder_count

  name     = var.name_prefix
  role_arn = aws_iam_role.config[0].arn

  recording_group {
    all_supported                 = length(var.recorded_resource_types) == 0
    include_global_resource_types = length(var.recorded_resource_types) == 0
    resource_types                = var.recorded_resource_types

    recording_strategy {
      use_only = length(var.recorded_resource_types) == 0 ? "ALL_SUPPORTED_RESOURCE_TYPES" : "INCLUSION_BY_RESOURCE_TYPES"
    }
  }
}

resource "aws_config_delivery_channel" "this" {
  count = local.recorder_count

  name           = var.name_prefix
  s3_bucket_name = module.config_bucket[0].name
  s3_kms_key_arn = aws_kms_key.this.arn
  sns_topic_arn  = aws_sns_topic.config[0].arn

  depends_on = [
    aws_config_configuration_recorder.this,
    aws_iam_role_policy.config,
    aws_iam_role_policy_attachment.config,
    aws_sns_topic_policy.config,
  ]
}

resource "aws_config_configuration_recorder_status" "this" {
  count = local.recorder_count

  name       = aws_config_configuration_recorder.this[0].name
  is_enabled = true

  depends_on = [aws_config_delivery_channel.this]
}

module "config_bucket" {
  source = "./modules/log-bucket"
  count  = local.recorder_count

  name             = "${var.name_prefix}-config-${local.account}-${local.region}"
  kms_key_arn      = aws_kms_key.this.arn
  retention_days   = var.bucket_retention_days
  force_destroy    = !var.deletion_protection
  service          = "config.amazonaws.com"
  account          = local.account
  source_condition = { variable = "aws:SourceAccount", value = local.account }
}

resource "aws_sns_topic" "config" {
  count = local.recorder_count

  name              = "${var.name_prefix}-config"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_policy" "config" {
  count = local.recorder_count

  arn    = aws_sns_topic.config[0].arn
  policy = data.aws_iam_policy_document.publish["config"].json
}

data "aws_iam_policy_document" "assume_config" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["config.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "config" {
  count = local.recorder_count

  statement {
    actions   = ["s3:PutObject"]
    resources = ["${module.config_bucket[0].arn}/AWSLogs/${local.account}/*"]
  }

  statement {
    actions   = ["s3:GetBucketAcl", "s3:ListBucket"]
    resources = [module.config_bucket[0].arn]
  }

  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.config[0].arn]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role" "config" {
  count = local.recorder_count

  name               = "${var.name_prefix}-config"
  description        = "What AWS Config may do: read everybody's configuration, deliver to its bucket and topic"
  assume_role_policy = data.aws_iam_policy_document.assume_config.json
}

resource "aws_iam_role_policy_attachment" "config" {
  count = local.recorder_count

  role       = aws_iam_role.config[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWS_ConfigRole"
}

resource "aws_iam_role_policy" "config" {
  count = local.recorder_count

  name   = "deliver"
  role   = aws_iam_role.config[0].id
  policy = data.aws_iam_policy_document.config[0].json
}
