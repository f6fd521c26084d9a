# Each service whose resources are changed has a queue, a function, a role, and their alarms. `defendable actions`
# writes controls.json with the actions of the controls; the scopes here have the resources.

locals {
  controls = jsondecode(file("${path.module}/controls.json"))

  services = {
    ec2 = {
      description = "Revokes what opens prohibited ports to the internet"
      scopes = [
        # EC2 has no resource-level permissions for Describe actions.
        { actions = "^ec2:Describe", resources = ["*"], conditions = local.in_this_region },
        # A prefix list may belong to this account, to AWS, or to another account that shares it.
        {
          actions    = "^ec2:GetManagedPrefixListEntries$"
          resources  = ["arn:${local.partition}:ec2:${local.region}:*:prefix-list/*"]
          conditions = local.in_this_region
        },
        {
          actions = "^ec2:(Authorize|Revoke)SecurityGroupIngress$"
          resources = [
            "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/*",
            "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group-rule/*",
          ]
          conditions = local.in_this_region
        },
      ]
      # The role may not change exempt resources, whatever the code does.
      exempt      = [for id in var.exempt_security_groups : "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/${id}"]
      older_queue = "security-group"
    }
    s3 = {
      description = "Takes away what makes a bucket public"
      scopes = [
        # S3 has no resource-level permission for this action.
        { actions = "^s3:GetAccountPublicAccessBlock$", resources = ["*"], conditions = [] },
        { actions = "^s3:(Delete|Get|Put)Bucket", resources = [local.every_bucket], conditions = local.in_this_account },
      ]
      exempt      = [for name in var.bucket_whitelist : "arn:${local.partition}:s3:::${name}"]
      older_queue = "s3-bucket"
    }
  }

  # The actions of all controls, by service and phase.
  service_actions = {
    for service in keys(local.services) : service => {
      for phase in ["plan", "apply"] : phase =>
      sort(distinct(flatten([for control in local.controls : control[phase] if control.service == service])))
    }
  }

  # The same as statements: a scope with its actions.
  service_statements = {
    for service, its in local.services : service => {
      for phase, actions in local.service_actions[service] : phase => [
        for scope in its.scopes : {
          actions    = [for action in actions : action if can(regex(scope.actions, action))]
          resources  = scope.resources
          conditions = scope.conditions
        } if anytrue([for action in actions : can(regex(scope.actions, action))])
      ]
    }
  }

  # Version 0.1 had a remediator for each type of resource. Its queues stay until they are empty.
  older_queues = { for service, its in local.services : service => its.older_queue if var.keep_older_queues }
}

check "every_action_has_a_scope" {
  assert {
    condition = alltrue(flatten([for service, phases in local.service_actions : [for phase, actions in phases : [for action in actions :
    length([for scope in local.services[service].scopes : scope if can(regex(scope.actions, action))]) == 1]]]))
    error_message = "Each action of controls.json is in one scope of its service."
  }
}
