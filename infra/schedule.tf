# Two schedules: auto-response, which is a switch, and housekeeping, which always runs.

locals {
  auto_response_rule = "${var.name_prefix}-auto-response"
}

resource "aws_cloudwatch_event_rule" "auto_response" {
  name                = local.auto_response_rule
  description         = "Auto-response. Switched in Slack: /dd autoresponse on|off"
  schedule_expression = "rate(1 minute)"
  state               = var.enable_auto_response ? "ENABLED" : "DISABLED"

  # From the first apply on, people switch it.
  lifecycle {
    ignore_changes = [state]
  }
}

resource "aws_cloudwatch_event_target" "auto_response" {
  rule = aws_cloudwatch_event_rule.auto_response.name
  arn  = module.function["coordinator"].arn
}

resource "aws_lambda_permission" "auto_response" {
  statement_id  = "AutoResponse"
  action        = "lambda:InvokeFunction"
  function_name = module.function["coordinator"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.auto_response.arn
}

# Housekeeping: ignores end, fixes without a report count as failed, and findings are read again.
resource "aws_cloudwatch_event_rule" "housekeeping" {
  name                = "${var.name_prefix}-housekeeping"
  description         = "Housekeeping of findings; never to be switched off"
  schedule_expression = "rate(1 minute)"
  state               = "ENABLED"
}

resource "aws_cloudwatch_event_target" "housekeeping" {
  rule  = aws_cloudwatch_event_rule.housekeeping.name
  arn   = module.queue["events"].arn
  input = jsonencode({ notice = "housekeeping" })
}
