# What each function may do, beside writing its log and what Lambda does with its source queue
# (modules/function/role.tf). The actions here and those that the code declares beside its
# handlers are compared, both ways, by the tests of src/lambda/permissions.rs.

locals {
  table_arns        = [aws_dynamodb_table.findings.arn, "${aws_dynamodb_table.findings.arn}/index/by-state"]
  schedule_rule_arn = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.auto_response_rule}"
  every_bucket      = "arn:${local.partition}:s3:::*"

  in_this_region  = [{ test = "StringEquals", variable = "ec2:Region", values = [local.region] }]
  in_this_account = [{ test = "StringEquals", variable = "s3:ResourceAccount", values = [local.account] }]

  permissions = {
    slack = [
      {
        actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        resources = local.table_arns
      },
      {
        # Dead letters go back into the queue that they come from, whichever that is.
        actions   = ["sqs:SendMessage"]
        resources = values(local.queue_arns)
      },
      {
        actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
        resources = values(local.dead_letter_arns)
      },
      {
        actions   = ["sqs:GetQueueAttributes"]
        resources = concat(values(local.queue_arns), values(local.dead_letter_arns))
      },
      {
        actions   = ["events:DescribeRule", "events:DisableRule", "events:EnableRule"]
        resources = [local.schedule_rule_arn]
      },
      {
        # AWS Config has no resources for this one.
        actions   = ["config:DescribeComplianceByConfigRule"]
        resources = ["*"]
      },
      {
        actions   = ["ssm:GetParameter"]
        resources = values(local.secret_arns)
      },
      {
        actions    = ["kms:Decrypt"]
        resources  = [aws_kms_key.this.arn]
        conditions = [{ test = "StringEquals", variable = "kms:EncryptionContext:PARAMETER_ARN", values = values(local.secret_arns) }]
      },
    ]

    notifier = [
      {
        actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        resources = local.table_arns
      },
      {
        actions   = ["sqs:ChangeMessageVisibility"]
        resources = [local.queue_arns["events"]]
      },
      {
        actions = ["sqs:SendMessage"]
        resources = [
          local.queue_arns["events"], local.queue_arns["remediation"], local.queue_arns["fix"],
          local.dead_letter_arns["events"],
        ]
      },
      {
        # EC2 has no resources for Describe.
        actions    = ["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"]
        resources  = ["*"]
        conditions = local.in_this_region
      },
      {
        # A list may be of one's own, of AWS's, or shared by another account.
        actions    = ["ec2:GetManagedPrefixListEntries"]
        resources  = ["arn:${local.partition}:ec2:${local.region}:*:prefix-list/*"]
        conditions = local.in_this_region
      },
      {
        # What the account's settings had made ineffective is judged again.
        actions   = ["config:StartConfigRulesEvaluation"]
        resources = ["*"]
      },
      {
        actions = [
          "s3:GetBucketAcl", "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", "s3:GetBucketPublicAccessBlock",
          "s3:GetBucketTagging",
        ]
        resources  = [local.every_bucket]
        conditions = local.in_this_account
      },
      {
        # S3 has no resources for it.
        actions   = ["s3:GetAccountPublicAccessBlock"]
        resources = ["*"]
      },
      {
        # Whether the switch is as it is recorded.
        actions   = ["events:DescribeRule"]
        resources = [local.schedule_rule_arn]
      },
      {
        # CloudTrail has no resources for looking events up.
        actions   = ["cloudtrail:LookupEvents"]
        resources = ["*"]
      },
      {
        actions   = ["ssm:GetParameter"]
        resources = [local.secret_arns.bot_token]
      },
      {
        actions    = ["kms:Decrypt"]
        resources  = [aws_kms_key.this.arn]
        conditions = [{ test = "StringEquals", variable = "kms:EncryptionContext:PARAMETER_ARN", values = [local.secret_arns.bot_token] }]
      },
    ]

    coordinator = [
      {
        actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        resources = local.table_arns
      },
      {
        actions   = ["events:DescribeRule", "events:DisableRule"]
        resources = [local.schedule_rule_arn]
      },
      {
        actions   = ["sqs:ChangeMessageVisibility"]
        resources = [local.queue_arns["fix"]]
      },
      {
        actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        resources = [local.queue_arns["remediation"]]
      },
      {
        actions = ["sqs:SendMessage"]
        resources = [
          local.queue_arns["events"], local.queue_arns["security-group"], local.queue_arns["s3-bucket"],
          local.dead_letter_arns["fix"], local.dead_letter_arns["remediation"],
        ]
      },
    ]

    security-group-remediator = [
      {
        actions    = ["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"]
        resources  = ["*"]
        conditions = local.in_this_region
      },
      {
        # A list may be of one's own, of AWS's, or shared by another account.
        actions    = ["ec2:GetManagedPrefixListEntries"]
        resources  = ["arn:${local.partition}:ec2:${local.region}:*:prefix-list/*"]
        conditions = local.in_this_region
      },
      {
        actions = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
        resources = [
          "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/*",
          "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group-rule/*",
        ]
        conditions = local.in_this_region
      },
      {
        actions   = ["sqs:ChangeMessageVisibility"]
        resources = [local.queue_arns["security-group"]]
      },
      {
        actions   = ["sqs:DeleteMessage"]
        resources = [local.queue_arns["remediation"]]
      },
      {
        # Whether auto-response may still act.
        actions   = ["dynamodb:GetItem"]
        resources = [aws_dynamodb_table.findings.arn]
      },
      {
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arns["events"], local.dead_letter_arns["security-group"]]
      },
    ]

    s3-bucket-remediator = [
      {
        actions = [
          "s3:DeleteBucketPolicy", "s3:GetBucketAcl", "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus",
          "s3:GetBucketPublicAccessBlock", "s3:GetBucketTagging", "s3:PutBucketAcl", "s3:PutBucketPolicy",
        ]
        resources  = [local.every_bucket]
        conditions = local.in_this_account
      },
      {
        # S3 has no resources for it.
        actions   = ["s3:GetAccountPublicAccessBlock"]
        resources = ["*"]
      },
      {
        actions   = ["sqs:ChangeMessageVisibility"]
        resources = [local.queue_arns["s3-bucket"]]
      },
      {
        actions   = ["sqs:DeleteMessage"]
        resources = [local.queue_arns["remediation"]]
      },
      {
        # Whether auto-response may still act.
        actions   = ["dynamodb:GetItem"]
        resources = [aws_dynamodb_table.findings.arn]
      },
      {
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arns["events"], local.dead_letter_arns["s3-bucket"]]
      },
    ]

    restricted-ports-rule = [
      {
        # A list may be of one's own, of AWS's, or shared by another account.
        actions    = ["ec2:GetManagedPrefixListEntries"]
        resources  = ["arn:${local.partition}:ec2:${local.region}:*:prefix-list/*"]
        conditions = local.in_this_region
      },
      {
        # AWS Config has no resources for these.
        actions   = ["config:GetResourceConfigHistory", "config:PutEvaluations"]
        resources = ["*"]
      },
      {
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arns["events"], local.queue_arns["remediation"]]
      },
    ]

    s3-public-access-rule = [
      {
        actions   = ["config:GetResourceConfigHistory", "config:PutEvaluations"]
        resources = ["*"]
      },
      {
        actions = [
          "s3:GetBucketAcl", "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", "s3:GetBucketPublicAccessBlock",
        ]
        resources  = [local.every_bucket]
        conditions = local.in_this_account
      },
      {
        # S3 has no resources for it.
        actions   = ["s3:GetAccountPublicAccessBlock"]
        resources = ["*"]
      },
      {
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arns["events"], local.queue_arns["remediation"]]
      },
    ]
  }

  # What is exempt from a rule is out of its remediator's reach, whatever the code does.
  denials = {
    security-group-remediator = [
      for ids in [var.exempt_security_groups] : {
        effect    = "Deny"
        actions   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
        resources = [for id in ids : "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/${id}"]
      } if length(ids) > 0
    ]
    s3-bucket-remediator = [
      for names in [var.bucket_whitelist] : {
        effect    = "Deny"
        actions   = ["s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketPolicy"]
        resources = [for name in names : "arn:${local.partition}:s3:::${name}"]
      } if length(names) > 0
    ]
  }
}
