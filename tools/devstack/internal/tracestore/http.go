package tracestore

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

const maxExport = 64 << 20 // bytes of one export request, unpacked

// Handler takes POST /v1/traces (OTLP, binary protobuf), accepts and drops /v1/metrics and /v1/logs, and answers
// GET /traces (recent ones) and GET /traces/{id}.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", s.export)
	drop := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxExport))
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
	mux.HandleFunc("POST /v1/metrics", drop)
	mux.HandleFunc("POST /v1/logs", drop)
	mux.HandleFunc("GET /traces", s.recent)
	mux.HandleFunc("GET /traces/{id}", s.trace)
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func (s *Store) export(w http.ResponseWriter, r *http.Request) {
	if kind := r.Header.Get("Content-Type"); kind != "application/x-protobuf" {
		http.Error(w, "only application/x-protobuf is taken", http.StatusUnsupportedMediaType)
		return
	}
	raw, err := body(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var req collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &req); err != nil {
		http.Error(w, "not an OTLP export request", http.StatusBadRequest)
		return
	}
	s.Add(req.GetResourceSpans())
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(w, r.Body, maxExport)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		in = io.LimitReader(unzip, maxExport)
	}
	return io.ReadAll(in)
}

func (s *Store) recent(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || limit < 1 {
		limit = 20
	}
	answer(w, map[string]any{"items": s.Recent(limit)})
}

func (s *Store) trace(w http.ResponseWriter, r *http.Request) {
	trace, ok := s.Trace(strings.ToLower(r.PathValue("id")))
	if !ok {
		http.Error(w, "no span of this trace is known; only the last hour is kept", http.StatusNotFound)
		return
	}
	answer(w, trace)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the reader has gone; nobody is left to tell
}
