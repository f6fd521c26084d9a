variable "region" {
  description = "The AWS region. Every region that is to be watched has a deployment of its own. By default, what AWS_REGION or your profile says."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "The names of all resources begin with it. Two deployments in one account, also in two regions, need two: roles have no region."
  type        = string
  default     = "defendable"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name_prefix)) && !endswith(var.name_prefix, "-")
    error_message = "name_prefix is 2 to 20 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "tags" {
  description = "Tags for every resource."
  type        = map(string)
  default     = {}
}

variable "package" {
  description = "The Lambda package; null for the one that scripts/package built for the architecture."
  type        = string
  default     = null
}

variable "architecture" {
  description = "What the package was built for: x86_64, or arm64 by scripts/package --arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is x86_64 or arm64."
  }
}

# Auto-response

variable "enable_auto_response" {
  description = "Whether auto-response begins switched on. Only read when the rule is created: from then on, /dd autoresponse on|off decides."
  type        = bool
  default     = false
}

variable "blast_radius" {
  description = "The most requests that one run of auto-response passes on before it asks."
  type        = number
  default     = 20

  validation {
    condition     = var.blast_radius >= 1 && var.blast_radius == floor(var.blast_radius)
    error_message = "blast_radius is a whole number of at least 1."
  }
}

# AWS Config

variable "create_config_recorder" {
  description = "Whether to create AWS Config's recorder, delivery channel, bucket and topic. A region has at most one recorder: false where it has one already, as under Control Tower."
  type        = bool
  default     = true
}

variable "config_topic_arn" {
  description = "With an existing recorder: the SNS topic of its delivery channel. Null: compliance changes come by EventBridge instead, for topics that we may not subscribe to."
  type        = string
  default     = null

  validation {
    condition     = var.config_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.config_topic_arn))
    error_message = "config_topic_arn is the ARN of an SNS topic, such as arn:aws:sns:us-east-1:123456789012:config-topic."
  }

  validation {
    condition     = var.config_topic_arn == null || !var.create_config_recorder
    error_message = "config_topic_arn is for an existing recorder: set create_config_recorder to false with it."
  }
}

variable "recorded_resource_types" {
  description = "The resource types that our recorder records, such as AWS::EC2::SecurityGroup, AWS::S3::Bucket and AWS::S3::AccountPublicAccessBlock (without the last a lowered block is noticed a minute later); all that AWS Config supports where empty. AWS Config's price is per recorded change."
  type        = list(string)
  default     = []

  validation {
    condition = length(var.recorded_resource_types) == 0 || length(setsubtract(
      ["AWS::EC2::SecurityGroup", "AWS::S3::Bucket"], var.recorded_resource_types
    )) == 0
    error_message = "recorded_resource_types must have AWS::EC2::SecurityGroup and AWS::S3::Bucket, or be empty for all types."
  }
}

variable "prohibited_ports" {
  description = "Ports and ranges that must not be open to the internet."
  type        = list(string)
  default     = ["22", "1433", "3306", "3389"]

  validation {
    # The format that the functions read. A value that they refuse keeps all of them from starting.
    condition = length(var.prohibited_ports) > 0 && alltrue([
      for port in var.prohibited_ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", port)) && try(
        tonumber(split("-", port)[0]) <= tonumber(reverse(split("-", port))[0]) && tonumber(reverse(split("-", port))[0]) <= 65535,
      false)
    ])
    error_message = "prohibited_ports are ports (22) and ranges (5432-5433) up to 65535, at least one."
  }
}

variable "broadest_ipv4" {
  description = "IPv4 ranges of a security group that are broader than this, once merged, count as the internet: a prefix length."
  type        = number
  default     = 8

  validation {
    condition     = contains(range(1, 33), var.broadest_ipv4)
    error_message = "broadest_ipv4 is a prefix length from 1 (only everybody counts) to 32."
  }
}

variable "broadest_ipv6" {
  description = "The same for IPv6."
  type        = number
  default     = 32

  validation {
    condition     = contains(range(1, 129), var.broadest_ipv6)
    error_message = "broadest_ipv6 is a prefix length from 1 (only everybody counts) to 128."
  }
}

variable "auto_response_broad_ranges" {
  description = "Whether auto-response also revokes ranges that count as the internet and are less than 0.0.0.0/0 or ::/0, and references to prefix lists whose entries are open. People can always."
  type        = bool
  default     = false
}

variable "exempt_security_groups" {
  description = "Security groups that the rule calls compliant; the remediator's role may not touch them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.exempt_security_groups : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "exempt_security_groups are ids of security groups, such as sg-0123456789abcdef0."
  }
}

variable "bucket_whitelist" {
  description = "Buckets that may be public; the remediator's role may not touch them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.bucket_whitelist : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))])
    error_message = "bucket_whitelist are names of buckets."
  }
}

variable "managed_rules" {
  description = "More AWS-managed rules, by the end of their name: an identifier (ROOT_ACCOUNT_MFA_ENABLED) and its parameters. Their findings are posted without a fix."
  type = map(object({
    identifier     = string
    parameters     = optional(map(string), {})
    resource_types = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for name, rule in var.managed_rules : can(regex("^[a-z0-9-]{1,60}$", name)) && can(regex("^[A-Z0-9_]+$", rule.identifier))])
    error_message = "managed_rules have names of lower-case letters, digits and hyphens, and identifiers such as ROOT_ACCOUNT_MFA_ENABLED."
  }
}

variable "more_restricted_ports_rules" {
  description = "Names of other rules on security groups that judge as ours does, and whose findings may be fixed, such as DD-AWS's DD_Config_EC2_OpenPorts."
  type        = list(string)
  default     = []
}

variable "more_s3_public_access_rules" {
  description = "The same for buckets, such as DD-AWS's DD_Config_S3_PublicAccess."
  type        = list(string)
  default     = []
}

variable "remediation_request_senders" {
  description = "ARNs of other roles that may send to the remediation queue, such as those of DD-AWS's rules."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.remediation_request_senders : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "remediation_request_senders are ARNs of IAM roles."
  }
}

# Slack

variable "slack_channel" {
  description = "The id of the channel for findings."
  type        = string

  validation {
    condition     = can(regex("^[CG][A-Z0-9]{5,}$", var.slack_channel))
    error_message = "slack_channel is a channel's id, such as C0123456789, not its name."
  }
}

variable "slack_team_id" {
  description = "The id of the workspace: requests of others are refused."
  type        = string

  validation {
    condition     = can(regex("^[TE][A-Z0-9]{5,}$", var.slack_team_id))
    error_message = "slack_team_id is a workspace's id, such as T0123456789."
  }
}

variable "slack_app_id" {
  description = "The id of the Slack app: requests of others are refused."
  type        = string

  validation {
    condition     = can(regex("^A[A-Z0-9]{5,}$", var.slack_app_id))
    error_message = "slack_app_id is an app's id, such as A0123456789."
  }
}

variable "operators" {
  description = "Ids of the users and user groups that may fix, ignore and switch; with @ and an account's id behind, in that account only. Nobody by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.operators : can(regex("^[UWS][A-Z0-9]{5,}(@[0-9]{12})?$", id))])
    error_message = "operators are ids of users (U0123456789) and user groups (S0123456789), alone or with an account (U0123456789@123456789012)."
  }
}

variable "two_person_accounts" {
  description = "Accounts in which a fix or an undo by one operator waits for another's yes."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.two_person_accounts : can(regex("^[0-9]{12}$", id))])
    error_message = "two_person_accounts are accounts' ids of twelve digits."
  }
}

variable "routing" {
  description = "Which channel a finding goes to (the first route whose conditions all hold; slack_channel for the rest), how bad the findings of a rule are at least, and the user group that critical ones call."
  type = object({
    mention    = optional(string)
    severities = optional(map(string), {})
    routes = optional(list(object({
      channel  = string
      accounts = optional(list(string), [])
      regions  = optional(list(string), [])
      rules    = optional(list(string), [])
      severity = optional(string)
      tags     = optional(map(string), {})
    })), [])
  })
  default = {}

  validation {
    condition     = var.routing.mention == null || can(regex("^S[A-Z0-9]{5,}$", var.routing.mention))
    error_message = "routing.mention is a user group's id (S0123456789)."
  }

  validation {
    condition     = alltrue([for severity in concat(values(var.routing.severities), [for route in var.routing.routes : route.severity if route.severity != null]) : contains(["low", "medium", "high", "critical"], severity)])
    error_message = "A severity is low, medium, high or critical."
  }

  validation {
    condition = alltrue([for route in var.routing.routes : can(regex("^[CG][A-Z0-9]{5,}$", route.channel)) &&
      length(route.accounts) + length(route.regions) + length(route.rules) + length(route.tags) + (route.severity == null ? 0 : 1) > 0 &&
    alltrue([for id in route.accounts : can(regex("^[0-9]{12}$", id))])])
    error_message = "A route has a channel's id (C0123456789) and at least one condition: accounts (twelve digits), regions, rules, severity or tags."
  }

  # Lambda takes 4 KB of environment variables.
  validation {
    condition     = length(jsonencode(var.routing)) <= 1800
    error_message = "routing is too long for the functions' environment: 1,800 characters as JSON."
  }
}

variable "slack_bot_token" {
  description = "The app's bot token. Only passes through: neither plan nor state has it. Set TF_VAR_slack_bot_token rather than writing it to a file."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = startswith(var.slack_bot_token, "xoxb-")
    error_message = "slack_bot_token begins with xoxb-."
  }
}

variable "slack_signing_secret" {
  description = "The app's signing secret; two with a comma while one replaces the other. Only passes through, as the token."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[0-9a-f]{32}(,[0-9a-f]{32})?$", var.slack_signing_secret))
    error_message = "slack_signing_secret is 32 hexadecimal digits, or two such with a comma."
  }
}

variable "slack_secrets_version" {
  description = "Raise it to store a new token or signing secret: Terraform cannot see that a write-only value has changed."
  type        = number
  default     = 1

  validation {
    condition     = var.slack_secrets_version >= 1 && var.slack_secrets_version == floor(var.slack_secrets_version)
    error_message = "slack_secrets_version is a whole number of at least 1."
  }
}

variable "slack_concurrency" {
  description = "The most requests of Slack's that are handled at a time; more are refused. -1 reserves nothing, for accounts whose limit of concurrent executions leaves nothing to reserve."
  type        = number
  default     = 10

  validation {
    condition     = var.slack_concurrency == -1 || var.slack_concurrency >= 1
    error_message = "slack_concurrency is at least 1, or -1."
  }
}

# Operations

variable "log_level" {
  description = "What the functions log: info, a line for each decision, or debug. Not less: the alarm on missed schedules counts those lines."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["info", "debug"], var.log_level)
    error_message = "log_level is info or debug."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps logs. Days."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of the periods that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 …"
  }
}

variable "bucket_retention_days" {
  description = "How long the buckets keep what AWS Config and CloudTrail deliver. Days."
  type        = number
  default     = 400

  validation {
    condition     = var.bucket_retention_days >= 1
    error_message = "bucket_retention_days is at least 1."
  }
}

variable "alarm_email_addresses" {
  description = "Who hears of alarms by e-mail too: the way that still works when Defendable itself does not."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_email_addresses : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alarm_email_addresses are e-mail addresses."
  }
}

variable "more_alarm_topic_arns" {
  description = "SNS topics of other CloudWatch alarms that shall reach the channel, such as DD-AWS's DD_BP_SNS_Monitoring_Topic."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.more_alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))])
    error_message = "more_alarm_topic_arns are ARNs of SNS topics."
  }
}

variable "deletion_protection" {
  description = "Whether the findings table refuses to be deleted, and buckets that are not empty. Set to false, and apply, before removing a deployment."
  type        = bool
  default     = true
}

# Best practice

variable "enable_cloudtrail" {
  description = "Whether to create a trail: all regions, validated, encrypted, into CloudWatch Logs."
  type        = bool
  default     = false
}

variable "cloudtrail_log_group" {
  description = "With a trail of yours: the name of the log group that it writes to, for the CIS alarms."
  type        = string
  default     = null
}

variable "enable_password_policy" {
  description = "Whether to set the account's password policy (14 characters of four kinds, 24 remembered, 90 days)."
  type        = bool
  default     = false
}

variable "cis_alarms" {
  description = "Which of the fourteen alarms of the CIS benchmark to create: none, level-1, or level-2 (all)."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "level-1", "level-2"], var.cis_alarms)
    error_message = "cis_alarms is none, level-1 or level-2."
  }

  validation {
    condition     = var.cis_alarms == "none" || var.enable_cloudtrail || var.cloudtrail_log_group != null
    error_message = "cis_alarms read CloudTrail's log group: set enable_cloudtrail, or name yours in cloudtrail_log_group."
  }
}

variable "keep_older_queues" {
  description = "Keep the queues security-group and s3-bucket of version 0.1, whose tasks the new remediators do. Set it to false in a later apply, once they and their dead-letter queues are empty: these are deleted, too."
  type        = bool
  default     = true
}
