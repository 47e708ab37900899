package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ingressHost is the host that the Ingress is for.
const ingressHost = "crm.guanxi.test"

// rule sends the requests of some paths to one Service.
type rule struct {
	prefix  string
	pattern *regexp.Regexp // instead of a prefix
	service string
}

// takes tells whether the rule is for the path: a prefix is one of whole elements.
func (r rule) takes(path string) bool {
	if r.pattern != nil {
		return r.pattern.MatchString(path)
	}
	prefix := strings.TrimSuffix(r.prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// readRules reads an Ingress as a controller that takes paths of type ImplementationSpecific for patterns does: those first, then
// the longest prefix.
func readRules(ingress []byte) ([]rule, error) {
	var in struct {
		Spec struct {
			Rules []struct {
				Host string `json:"host"`
				HTTP struct {
					Paths []struct {
						Path     string `json:"path"`
						PathType string `json:"pathType"`
						Backend  struct {
							Service struct {
								Name string `json:"name"`
							} `json:"service"`
						} `json:"backend"`
					} `json:"paths"`
				} `json:"http"`
			} `json:"rules"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(ingress, &in); err != nil {
		return nil, fmt.Errorf("the Ingress: %w", err)
	}
	var rules []rule
	for _, host := range in.Spec.Rules {
		if host.Host != ingressHost {
			return nil, fmt.Errorf("the Ingress is for the host %q instead of %s", host.Host, ingressHost)
		}
		for _, p := range host.HTTP.Paths {
			one := rule{service: p.Backend.Service.Name}
			switch p.PathType {
			case "Prefix":
				one.prefix = p.Path
			case "ImplementationSpecific":
				pattern, err := regexp.Compile("^" + p.Path + "$")
				if err != nil {
					return nil, fmt.Errorf("the path %s: %w", p.Path, err)
				}
				one.pattern = pattern
			default:
				return nil, fmt.Errorf("the path %s is of type %q", p.Path, p.PathType)
			}
			rules = append(rules, one)
		}
	}
	slices.SortStableFunc(rules, func(a, b rule) int {
		if (a.pattern != nil) != (b.pattern != nil) {
			return cmp.Compare(len(a.prefix), len(b.prefix)) // a pattern has none
		}
		return cmp.Compare(len(b.prefix), len(a.prefix))
	})
	return rules, nil
}

// door answers as an Ingress controller would: each request goes to the Service that the first rule for its path names.
func door(rules []rule, services map[string]*url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		at := slices.IndexFunc(rules, func(r rule) bool { return r.takes(req.URL.Path) })
		if at < 0 {
			http.NotFound(w, req)
			return
		}
		proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(services[rules[at].service])
			p.SetXForwarded()
		}}
		proxy.ServeHTTP(w, req)
	})
}

// openDoor stands in for the Ingress controller that a node of ours has not: it reads the Ingress of the release, and gives the
// URL at which it answers as long as this program runs.
func (r *run) openDoor(ctx context.Context) (string, error) {
	if r.door != "" {
		return r.door, nil
	}
	ingress, err := r.kube(ctx, "get", "ingress", guanxiRelease+"-guanxi", "-o", "json")
	if err != nil {
		return "", err
	}
	rules, err := readRules([]byte(ingress))
	if err != nil {
		return "", err
	}
	services := map[string]*url.URL{}
	for _, one := range rules {
		if services[one.service] != nil {
			continue
		}
		at, err := r.address(ctx, one.service)
		if err != nil {
			return "", err
		}
		services[one.service] = &url.URL{Scheme: "http", Host: at}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: door(rules, services), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until the program ends
	r.door = "http://" + listener.Addr().String()
	return r.door, nil
}
