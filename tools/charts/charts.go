// Package charts tests the charts in charts/ as whoever installs them gets them: rendered by the pinned Helm. It is a module of its
// own, since it takes Kubernetes' types and the judgement of Pod Security from Kubernetes itself. `make charts` runs its tests.
package charts
