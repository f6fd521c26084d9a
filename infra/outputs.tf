output "slack_request_url" {
  description = "For scripts/manifest --url: where Slack sends its requests."
  value       = "${aws_lambda_function_url.slack.function_url}slack/events"
}

output "functions" {
  description = "The functions' names in AWS, by what they are."
  value       = { for name, function in module.function : name => function.name }
}

output "events_queue_arn" {
  description = "The queue from which messages are made."
  value       = module.queue["events"].arn
}

output "remediation_queue_url" {
  description = "Where violations wait: for the parameter sqsUrl of DD-AWS's rules."
  value       = module.queue["remediation"].url
}

output "alarm_topic_arn" {
  description = "A topic whose alarms reach the channel: for alarms of your own."
  value       = aws_sns_topic.alarms.arn
}

output "config_rules" {
  description = "The names of the rules in AWS Config."
  value       = sort(concat(values(local.rule_names), [for rule in aws_config_config_rule.managed : rule.name]))
}

output "dashboard" {
  description = "The name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
