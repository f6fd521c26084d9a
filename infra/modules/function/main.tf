# A function with its role, log group and alarms.

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Log lines carry request and finding ids through all functions; traces would cost every call and need rights of their own
  #checkov:skip=CKV_AWS_115:Only the function that the internet reaches is limited; queues limit the others
  #checkov:skip=CKV_AWS_116:Queues keep what fails, the rules' events go to the events queue; the schedule comes again in a minute
  #checkov:skip=CKV_AWS_117:It speaks to public AWS and Slack addresses only; a VPC would need a NAT gateway for that
  #checkov:skip=CKV_AWS_173:No setting is secret: secrets are in SSM, and the environment has their names
  #checkov:skip=CKV_AWS_272:The package is built and hashed by who deploys it
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = "provided.al2023"
  handler                        = var.handler
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = var.concurrency

  environment {
    variables = merge(var.settings, { DEFENDABLE_LOG = var.log_level })
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = upper(var.log_level)
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  # Without its rights a first invocation would fail and raise an alarm.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = var.retry_async ? 2 : 0
  maximum_event_age_in_seconds = var.retry_async ? 6 * 3600 : 60

  dynamic "destination_config" {
    for_each = var.failures_queue_arn == null ? [] : [var.failures_queue_arn]

    content {
      on_failure {
        destination = destination_config.value
      }
    }
  }

  # Lambda asks at once whether the function may send there.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.source_queue_arn == null ? 0 : 1

  function_name           = aws_lambda_function.this.arn
  event_source_arn        = var.source_queue_arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 5
  }
}

# A queue that an upgrade has replaced. Two at a time are enough for what is left in it.
resource "aws_lambda_event_source_mapping" "older_queue" {
  count = var.older_queue_arn == null ? 0 : 1

  function_name           = aws_lambda_function.this.arn
  event_source_arn        = var.older_queue_arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}
