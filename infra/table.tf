# The findings table: findings, the switch of auto-response, plans, and what has been posted.

resource "aws_dynamodb_table" "findings" {
  #checkov:skip=CKV_AWS_119:Encrypted by DynamoDB's own key: findings are no secrets, and no function then needs rights on a key for every call
  name                        = "${var.name_prefix}-findings"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = ["pk", "sk", "state", "stateSince"]

    content {
      name = attribute.value
      type = "S"
    }
  }

  global_secondary_index {
    name            = "by-state"
    projection_type = "ALL"

    key_schema {
      attribute_name = "state"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "stateSince"
      key_type       = "RANGE"
    }
  }

  ttl {
    attribute_name = "expiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = false
  }
}
