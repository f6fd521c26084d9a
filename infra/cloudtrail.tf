# A trail, by a switch: of all regions, with validation and encryption, also in CloudWatch Logs.

locals {
  trail_count = var.enable_cloudtrail ? 1 : 0
}

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_252:The alarms on its log group are what tells people
  count = local.trail_count

  name                          = var.name_prefix
  s3_bucket_name                = module.cloudtrail_bucket[0].name
  kms_key_id                    = aws_kms_key.this.arn
  include_global_service_events = true
  is_multi_region_trail         = true
  enable_log_file_validation    = true
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.cloudtrail[0].arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.cloudtrail[0].arn

  depends_on = [aws_iam_role_policy.cloudtrail]
}

module "cloudtrail_bucket" {
  source = "./modules/log-bucket"
  count  = local.trail_count

  name             = "${var.name_prefix}-cloudtrail-${local.account}-${local.region}"
  kms_key_arn      = aws_kms_key.this.arn
  retention_days   = var.bucket_retention_days
  force_destroy    = !var.deletion_protection
  service          = "cloudtrail.amazonaws.com"
  account          = local.account
  source_condition = { variable = "aws:SourceArn", value = local.trail_arn }
}

resource "aws_cloudwatch_log_group" "cloudtrail" {
  count = local.trail_count

  name              = "/${var.name_prefix}/cloudtrail"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

data "aws_iam_policy_document" "assume_cloudtrail" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }
  }
}

data "aws_iam_policy_document" "cloudtrail" {
  count = local.trail_count

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.cloudtrail[0].arn}:log-stream:*"]
  }
}

resource "aws_iam_role" "cloudtrail" {
  count = local.trail_count

  name               = "${var.name_prefix}-cloudtrail"
  description        = "What CloudTrail may do: write to its log group"
  assume_role_policy = data.aws_iam_policy_document.assume_cloudtrail.json
}

resource "aws_iam_role_policy" "cloudtrail" {
  count = local.trail_count

  name   = "log"
  role   = aws_iam_role.cloudtrail[0].id
  policy = data.aws_iam_policy_document.cloudtrail[0].json
}
