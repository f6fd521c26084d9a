# A dashboard for the people on call.

locals {
  function_names = [for name in keys(local.functions) : "${var.name_prefix}-${name}"]
  queue_names    = [for name in keys(local.queues) : "${var.name_prefix}-${name}"]

  # Each graph: its title, statistic, and one metric a line.
  graphs = [
    { title = "Invocations", stat = "Sum", metrics = [for name in local.function_names : ["AWS/Lambda", "Invocations", "FunctionName", name]] },
    { title = "Errors and throttles", stat = "Sum", metrics = concat(
      [for name in local.function_names : ["AWS/Lambda", "Errors", "FunctionName", name]],
      [for name in local.function_names : ["AWS/Lambda", "Throttles", "FunctionName", name]],
    ) },
    { title = "Duration, 99th percentile (ms)", stat = "p99", metrics = [for name in local.function_names : ["AWS/Lambda", "Duration", "FunctionName", name]] },
    { title = "Messages that wait", stat = "Maximum", metrics = [for name in local.queue_names : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]] },
    { title = "Age of the oldest message (s)", stat = "Maximum", metrics = [for name in local.queue_names : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name]] },
    { title = "Dead letters", stat = "Maximum", metrics = [for name in local.queue_names : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${name}-dead-letters"]] },
    { title = "Auto-response: triggered and run", stat = "Sum", metrics = [
      ["AWS/Events", "Invocations", "RuleName", local.auto_response_rule],
      [local.metrics_namespace, "ScheduledRuns"],
    ] },
    { title = "Findings: opened, fixed, ignored", stat = "Sum", metrics = [
      [local.metrics_namespace, "FindingsOpened"],
      [local.metrics_namespace, "FindingsFixed"],
      [local.metrics_namespace, "FindingsIgnored"],
      [local.metrics_namespace, "FixesFailed"],
    ] },
    { title = "Fixes that failed, by reason", stat = "Sum", metrics = [
      for reason in ["AccessDenied", "Other", "NotQueued", "NoReport"] : [local.metrics_namespace, "FixesFailedByReason", "Reason", reason]
    ] },
    { title = "From a change to its message, from a click to its fix, 90th percentile (ms)", stat = "p90", metrics = [
      [local.metrics_namespace, "ChangeToMessage"],
      [local.metrics_namespace, "ClickToFixed"],
    ] },
    { title = "Slack: calls, errors, rate limits", stat = "Sum", metrics = concat(
      [for method in ["chat.postMessage", "chat.update", "chat.postEphemeral"] : [local.metrics_namespace, "SlackCalls", "Method", method]],
      [[local.metrics_namespace, "SlackErrors"], [local.metrics_namespace, "SlackRateLimits"]],
    ) },
    { title = "Age of messages when they are done with, 90th percentile (ms)", stat = "p90", metrics = [
      for name in local.queue_names : [local.metrics_namespace, "MessageAge", "Queue", name]
    ] },
    { title = "Findings table: units consumed", stat = "Sum", metrics = [
      ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", aws_dynamodb_table.findings.name],
      ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", aws_dynamodb_table.findings.name],
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name_prefix

  dashboard_body = jsonencode({
    widgets = [
      for index, graph in local.graphs : {
        type   = "metric"
        width  = 12
        height = 6
        x      = 12 * (index % 2)
        y      = 6 * floor(index / 2)
        properties = {
          title   = graph.title
          region  = local.region
          stat    = graph.stat
          period  = 300
          metrics = graph.metrics
        }
      }
    ]
  })
}
