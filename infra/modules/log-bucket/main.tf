# A private, encrypted bucket in which an AWS service leaves its records.

variable "name" {
  description = "The bucket's name."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts it."
  type        = string
}

variable "retention_days" {
  description = "How long objects are kept. Days."
  type        = number
}

variable "force_destroy" {
  description = "Whether the bucket may be deleted with what is in it."
  type        = bool
}

variable "service" {
  description = "The service that writes, such as config.amazonaws.com."
  type        = string
}

variable "account" {
  description = "The account whose records these are."
  type        = string
}

variable "source_condition" {
  description = "How the policy knows in whose name the service writes: aws:SourceAccount or aws:SourceArn, and its value."
  type = object({
    variable = string
    value    = string
  })
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access to audit records is in CloudTrail's data events where wanted; an access log would need a bucket of its own, and so on
  #checkov:skip=CKV_AWS_144:Records of one region's configuration; a copy elsewhere is the account's own decision
  #checkov:skip=CKV2_AWS_62:Nobody waits for these objects
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    expiration {
      days = var.retention_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Check"
    actions   = ["s3:GetBucketAcl", "s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]

    principals {
      type        = "Service"
      identifiers = [var.service]
    }

    condition {
      test     = "StringEquals"
      variable = var.source_condition.variable
      values   = [var.source_condition.value]
    }
  }

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.this.arn}/AWSLogs/${var.account}/*"]

    principals {
      type        = "Service"
      identifiers = [var.service]
    }

    condition {
      test     = "StringEquals"
      variable = var.source_condition.variable
      values   = [var.source_condition.value]
    }
  }

  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.this.json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

output "name" {
  description = "The bucket's name, once the service may write to it."
  value       = aws_s3_bucket_policy.this.bucket
}

output "arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}
