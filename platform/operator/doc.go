// Package operator is where the Kubernetes operator of the platform stands. It is a module of its own so that Kubernetes'
// dependencies stay out of the services and their binaries.
//
// The kinds are in api/v1alpha1, with their definitions in config/crd: a kube-apiserver refuses by them what contradicts itself.
// cmd/operator is the program, internal/controller what it does for each kind, internal/platform how it speaks to the services;
// internal/subscription plans and carries out what a subscriber has in Kafka, internal/delivery forwards events and sends webhooks.
// docs/operator.md says how all of it is used.
package operator
