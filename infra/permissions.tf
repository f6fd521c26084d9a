# The permissions of each function, beside those for its log and its source queue (modules/function/role.tf).
# The tests of src/lambda/permissions.rs compare the actions here with those that the code declares, in both
# directions. The actions of controls are in controls.json.

locals {
  table_arns        = [aws_dynamodb_table.findings.arn, "${aws_dynamodb_table.findings.arn}/index/by-state"]
  schedule_rule_arn = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.auto_response_rule}"
  every_bucket      = "arn:${local.partition}:s3:::*"

  in_this_region  = [{ test = "StringEquals", variable = "ec2:Region", values = [local.region] }]
  in_this_account = [{ test = "StringEquals", variable = "s3:ResourceAccount", values = [local.account] }]

  own_permissions = {
    slack = [
      {
        actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        resources = local.table_arns
      },
      {
        # A dead letter goes back into the queue that it comes from.
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
        # AWS Config has no resource-level permission for this action.
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

    # The notifier reads resources as the remediators do, to plan.
    notifier = concat(flatten([for service in keys(local.services) : local.service_statements[service].plan]), [
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
        # To judge again what the account's block had made ineffective.
        actions   = ["config:StartConfigRulesEvaluation"]
        resources = ["*"]
      },
      {
        # To compare the scheduled rule with the recorded switch.
        actions   = ["events:DescribeRule"]
        resources = [local.schedule_rule_arn]
      },
      {
        # CloudTrail has no resource-level permission for LookupEvents.
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
    ])

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
        resources = concat(
          [local.queue_arns["events"], local.dead_letter_arns["fix"], local.dead_letter_arns["remediation"]],
          [for queue in flatten(values(local.queues_of)) : local.queue_arns[queue]],
        )
      },
    ]

    restricted-ports-rule = [
      {
        # A prefix list may belong to this account, to AWS, or to another account that shares it.
        actions    = ["ec2:GetManagedPrefixListEntries"]
        resources  = ["arn:${local.partition}:ec2:${local.region}:*:prefix-list/*"]
        conditions = local.in_this_region
      },
      {
        # AWS Config has no resource-level permissions for these actions.
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
        # S3 has no resource-level permission for this action.
        actions   = ["s3:GetAccountPublicAccessBlock"]
        resources = ["*"]
      },
      {
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arns["events"], local.queue_arns["remediation"]]
      },
    ]
  }

  # A remediator reads and changes what the controls of its service call (services.tf).
  remediator_permissions = {
    for service in keys(local.services) : "${service}-remediator" => concat(
      local.service_statements[service].plan,
      local.service_statements[service].apply,
      [
        {
          actions   = ["sqs:ChangeMessageVisibility"]
          resources = [for queue in local.queues_of[service] : local.queue_arns[queue]]
        },
        {
          actions   = ["sqs:DeleteMessage"]
          resources = [local.queue_arns["remediation"]]
        },
        {
          # To read whether auto-response is still on.
          actions   = ["dynamodb:GetItem"]
          resources = [aws_dynamodb_table.findings.arn]
        },
        {
          actions   = ["sqs:SendMessage"]
          resources = concat([local.queue_arns["events"]], [for queue in local.queues_of[service] : local.dead_letter_arns[queue]])
        },
      ],
    )
  }

  # The queue of a service's remediator, and the older one.
  queues_of = { for service in keys(local.services) : service => compact([service, lookup(local.older_queues, service, "")]) }

  permissions = merge(local.own_permissions, local.remediator_permissions)

  denials = {
    for service, its in local.services : "${service}-remediator" => [
      for exempt in [its.exempt] : {
        effect    = "Deny"
        actions   = local.service_actions[service].apply
        resources = exempt
      } if length(exempt) > 0 && length(local.service_actions[service].apply) > 0
    ]
  }
}
