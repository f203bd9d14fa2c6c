output "endpoint" {
  description = "Where the service would answer."
  value       = terraform_data.endpoint.output.address
}

output "replicas" {
  description = "The replicas by name."
  value       = terraform_data.endpoint.output.replicas
}

output "api_token" {
  description = "Token that callers of the service send."
  value       = terraform_data.token.output
  sensitive   = true
}
