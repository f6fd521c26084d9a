# The address for Slack's requests. Everybody may call it: the function checks Slack's signature on the raw body
# before anything else, and reserved concurrency limits the load of unwanted requests.

resource "aws_lambda_function_url" "slack" {
  #checkov:skip=CKV_AWS_258:Slack cannot sign for IAM; it signs every request with the signing secret, which the function checks
  function_name      = module.function["slack"].name
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "function_url" {
  #checkov:skip=CKV_AWS_301:As above
  statement_id           = "FunctionUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.function["slack"].name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "function_by_url" {
  #checkov:skip=CKV_AWS_301:As above
  statement_id             = "FunctionByUrl"
  action                   = "lambda:InvokeFunction"
  function_name            = module.function["slack"].name
  principal                = "*"
  invoked_via_function_url = true
}
