// Package operator is where the Kubernetes operator of the platform stands. It is a module of its own so that Kubernetes'
// dependencies stay out of the services and their binaries.
//
// So far there are the kinds (api/v1alpha1) with their definitions (config/crd), which a kube-apiserver takes and by which it
// refuses what contradicts itself, and of subscriptions to Kafka what is planned and carried out (internal/subscription). There is
// no program yet that watches them: an object that is made has no effect.
package operator
