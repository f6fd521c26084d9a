variable "name" {
  description = "The function's name in AWS."
  type        = string
}

variable "handler" {
  description = "Which of the binary's functions this is: its _HANDLER."
  type        = string
}

variable "description" {
  description = "What the function is for, in a few words."
  type        = string
}

variable "package" {
  description = "Path of the Lambda package."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64."
  type        = string
}

variable "memory_size" {
  description = "MB. The share of a processor grows with it."
  type        = number
}

variable "timeout" {
  description = "Seconds."
  type        = number
}

variable "concurrency" {
  description = "The most that run at a time; -1 for no limit of its own."
  type        = number
}

variable "settings" {
  description = "Environment variables. None of them is secret."
  type        = map(string)
}

variable "statements" {
  description = "What the function's role allows, and denies."
  type = list(object({
    effect    = optional(string, "Allow")
    actions   = list(string)
    resources = list(string)
    conditions = optional(list(object({
      test     = string
      variable = string
      values   = list(string)
    })), [])
  }))
}

variable "source_queue_arn" {
  description = "The queue that triggers the function, if one does."
  type        = string
  default     = null
}

variable "older_queue_arn" {
  description = "A queue that triggers the function too, until it is empty; null for none."
  type        = string
  default     = null
}

variable "failures_queue_arn" {
  description = "Where Lambda puts an asynchronous event that it has given up, if anywhere."
  type        = string
  default     = null
}

variable "retry_async" {
  description = "Whether Lambda repeats a failed asynchronous invocation."
  type        = bool
  default     = true
}

variable "log_level" {
  description = "info or debug."
  type        = string
}

variable "log_retention_days" {
  description = "Days."
  type        = number
}

variable "kms_key_arn" {
  description = "The key for the logs."
  type        = string
}

variable "alarm_topic_arn" {
  description = "Where the function's alarms go."
  type        = string
}
