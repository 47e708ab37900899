// Package operator is where the Kubernetes operator of the platform will stand. It is a module of its own so that
// Kubernetes' dependencies stay out of the services and their binaries. There is no operator yet: nothing here runs,
// and nothing may be installed from here.
package operator
