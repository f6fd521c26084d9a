# The functions, one package: _HANDLER says which one a process is. Each service has a remediator (services.tf).

locals {
  functions = merge(local.own_functions, {
    for service, its in local.services : "${service}-remediator" => {
      description  = its.description
      timeout      = 60
      source_queue = service
      older_queue  = lookup(local.older_queues, service, null)
    }
  })

  own_functions = {
    slack = {
      description = "Slack's requests: commands, buttons, modals"
      timeout     = 15
      memory_size = 512
      concurrency = var.slack_concurrency
    }
    notifier = {
      description  = "Notifications, alarms and reports become findings and Slack messages"
      timeout      = 60
      source_queue = "events"
    }
    # Shorter than the schedule's minute, so that runs do not overlap. A failed run is not repeated, because
    # the next one follows.
    coordinator = {
      description  = "Sends requests to remediators: people's at once, others on schedule"
      timeout      = 55
      source_queue = "fix"
      retry_async  = false
    }
    # AWS Config does not send an event again until the resource changes. An event that Lambda gives up
    # becomes a dead letter, and is reported in Slack.
    restricted-ports-rule = {
      description    = "AWS Config rule on security groups"
      timeout        = 30
      failures_queue = "events"
    }
    s3-public-access-rule = {
      description    = "AWS Config rule on buckets"
      timeout        = 30
      failures_queue = "events"
    }
  }

  settings = merge(local.own_settings, {
    for service in keys(local.services) : "DEFENDABLE_${upper(replace(service, "-", "_"))}_QUEUE_URL" => module.queue[service].url
    }, {
    for queue in values(local.older_queues) : "DEFENDABLE_${upper(replace(queue, "-", "_"))}_QUEUE_URL" => module.queue[queue].url
  })

  own_settings = {
    DEFENDABLE_AWS_ACCOUNT_ID                 = local.account
    DEFENDABLE_EVENTS_QUEUE_URL               = module.queue["events"].url
    DEFENDABLE_REMEDIATION_QUEUE_URL          = module.queue["remediation"].url
    DEFENDABLE_FIX_QUEUE_URL                  = module.queue["fix"].url
    DEFENDABLE_FINDINGS_TABLE                 = aws_dynamodb_table.findings.name
    DEFENDABLE_SCHEDULE_RULE                  = local.auto_response_rule
    DEFENDABLE_SLACK_CHANNEL                  = var.slack_channel
    DEFENDABLE_SLACK_TEAM_ID                  = var.slack_team_id
    DEFENDABLE_SLACK_APP_ID                   = var.slack_app_id
    DEFENDABLE_SLACK_BOT_TOKEN_PARAMETER      = aws_ssm_parameter.bot_token.name
    DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER = aws_ssm_parameter.signing_secret.name
    DEFENDABLE_OPERATORS                      = join(",", var.operators)
    DEFENDABLE_PROHIBITED_PORTS               = join(",", var.prohibited_ports)
    DEFENDABLE_EXEMPT_SECURITY_GROUPS         = join(",", var.exempt_security_groups)
    DEFENDABLE_BROADEST_IPV4                  = tostring(var.broadest_ipv4)
    DEFENDABLE_BROADEST_IPV6                  = tostring(var.broadest_ipv6)
    DEFENDABLE_AUTO_RESPONSE_BROAD_RANGES     = tostring(var.auto_response_broad_ranges)
    DEFENDABLE_BUCKET_WHITELIST               = join(",", var.bucket_whitelist)
    DEFENDABLE_RESTRICTED_PORTS_RULES         = join(",", concat([local.rule_names["restricted-ports"]], var.more_restricted_ports_rules))
    DEFENDABLE_S3_PUBLIC_ACCESS_RULES         = join(",", concat([local.rule_names["s3-public-access"]], var.more_s3_public_access_rules))
    DEFENDABLE_ENABLE_AUTO_RESPONSE           = tostring(var.enable_auto_response)
    DEFENDABLE_BLAST_RADIUS                   = tostring(var.blast_radius)
    DEFENDABLE_METRICS_NAMESPACE              = local.metrics_namespace
    DEFENDABLE_ROUTING                        = jsonencode(var.routing)
    DEFENDABLE_TWO_PERSON_ACCOUNTS            = join(",", var.two_person_accounts)
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name         = "${var.name_prefix}-${each.key}"
  handler      = each.key
  description  = each.value.description
  package      = coalesce(var.package, "../target/lambda/defendable${var.architecture == "arm64" ? "-arm64" : ""}.zip")
  architecture = var.architecture
  timeout      = each.value.timeout
  memory_size  = try(each.value.memory_size, 256)
  concurrency  = try(each.value.concurrency, -1)
  settings     = local.settings
  statements   = concat(local.permissions[each.key], try(local.denials[each.key], []))
  # A name is known at plan. The function's settings make it wait for its queue.
  source_queue_arn   = try(local.queue_arns[each.value.source_queue], null)
  older_queue_arn    = try(local.queue_arns[each.value.older_queue], null)
  failures_queue_arn = try(local.queue_arns[each.value.failures_queue], null)
  retry_async        = try(each.value.retry_async, true)
  log_level          = var.log_level
  log_retention_days = var.log_retention_days
  kms_key_arn        = aws_kms_key.this.arn
  alarm_topic_arn    = aws_sns_topic.alarms.arn
}
