terraform {
  required_version = ">= 1.5"
}

locals {
  zones    = var.tier == "high-availability" ? ["a", "b", "c"] : ["a"]
  replicas = var.tier == "high-availability" ? max(var.replicas, 3) : var.replicas
  domain   = var.public ? "apps.example.com" : "internal.example.com"
  labels   = { for key, value in var.labels : key => value if value != null && value != "" }
}

# The network that the replicas share.
resource "terraform_data" "network" {
  input = {
    name  = "${var.service_name}-network"
    zones = local.zones
  }
}

# One per replica, spread over the zones.
resource "terraform_data" "replica" {
  count = local.replicas

  input = {
    name    = format("%s-%02d", var.service_name, count.index + 1)
    zone    = local.zones[count.index % length(local.zones)]
    memory  = var.memory
    network = terraform_data.network.output.name
    labels  = local.labels
  }
}

# What callers talk to.
resource "terraform_data" "endpoint" {
  input = {
    address  = "https://${var.service_name}.${local.domain}"
    public   = var.public
    replicas = terraform_data.replica[*].output.name
  }
}

# Made once and kept: the token changes only when the service's name does.
resource "terraform_data" "token" {
  input            = sha256("${var.service_name}/${terraform_data.network.id}")
  triggers_replace = [var.service_name]
}
