variable "service_name" {
  type        = string
  description = "Becomes part of every resource's name."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}$", var.service_name))
    error_message = "The service name is lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "tier" {
  type    = string
  default = "standard"
}

variable "replicas" {
  type    = number
  default = 2
}

variable "memory" {
  type        = number
  description = "MiB per replica."
  default     = 256
}

variable "public" {
  type    = bool
  default = false
}

variable "labels" {
  type = object({
    team        = optional(string)
    cost_center = optional(string)
  })
  default = {}
}
