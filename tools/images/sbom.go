package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
)

// What an SPDX 2.3 document in JSON is made of, as far as it is used here: https://spdx.github.io/spdx-spec/v2.3/
type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	License       string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Version       string         `json:"versionInfo"`
	Download      string         `json:"downloadLocation"`
	FilesAnalyzed bool           `json:"filesAnalyzed"`
	SourceInfo    string         `json:"sourceInfo,omitempty"`
	Refs          []spdxExternal `json:"externalRefs"`
}

type spdxExternal struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// describe lists what is in an image: the modules that the program says it was built from, the Go release, and the packages of
// this machine's distribution that files were taken from.
func describe(o options, s image, program string, groups ...files) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	packages := []spdxPackage{goPackage(info.Main.Path+"/"+s.name, o.version, ""), goPackage("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, m := range info.Deps {
		m = replaced(m)
		version := m.Version
		if version == "(devel)" { // of this repository
			version = o.version
		}
		packages = append(packages, goPackage(m.Path, version, m.Sum))
	}
	taken, err := systemPackages(groups...)
	if err != nil {
		return nil, err
	}
	packages = append(packages, taken...)
	doc := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: s.repository() + ":" + o.version,
		Creation: spdxCreation{Created: o.created.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: guanxi-images"}},
		Packages: packages,
	}
	doc.Relationships = append(doc.Relationships, spdxRelationship{doc.ID, "DESCRIBES", packages[0].ID})
	for _, p := range packages[1:] {
		doc.Relationships = append(doc.Relationships, spdxRelationship{packages[0].ID, "DEPENDS_ON", p.ID})
	}
	listed, err := json.Marshal(packages)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(listed)
	doc.Namespace = "https://guanxi-crm.github.io/spdx/" + s.name + "/" + o.version + "/" + hex.EncodeToString(sum[:8])
	return json.MarshalIndent(doc, "", " ")
}

func replaced(m *debug.Module) *debug.Module {
	if m.Replace != nil && m.Replace.Version != "" {
		return m.Replace
	}
	return m
}

func goPackage(path, version, sum string) spdxPackage {
	p := newPackage("golang/"+path, path, version)
	if sum != "" {
		p.SourceInfo = "go.sum " + sum
	}
	return p
}

func newPackage(purl, name, version string) spdxPackage {
	id := sha256.Sum256([]byte(purl + "@" + version))
	return spdxPackage{
		ID: "SPDXRef-Package-" + hex.EncodeToString(id[:8]), Name: name, Version: version, Download: "NOASSERTION",
		Refs: []spdxExternal{{"PACKAGE-MANAGER", "purl", "pkg:" + purl + "@" + version}},
	}
}

// systemPackages are the packages that files of this machine belong to. What belongs to none, as the list of authorities that
// is made on the machine, is not in it.
func systemPackages(groups ...files) ([]spdxPackage, error) {
	var paths []string
	for _, fs := range groups {
		for name, f := range fs {
			if f.from == "/"+name {
				paths = append(paths, f.from)
			}
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	slices.Sort(paths)
	// It fails when one of the files is of no package, and tells those of the others all the same.
	out, _ := exec.Command("dpkg-query", append([]string{"-S"}, bothPaths(paths)...)...).Output()
	found := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if owners, _, is := strings.Cut(line, ": "); is && !strings.HasPrefix(owners, "diversion by ") {
			found[strings.Split(owners, ", ")[0]] = true
		}
	}
	var packages []spdxPackage
	for _, name := range slices.Sorted(maps.Keys(found)) {
		version, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err != nil {
			return nil, fmt.Errorf("the version of %s: %w", name, err)
		}
		bare, _, _ := strings.Cut(name, ":")
		packages = append(packages, newPackage("deb/debian/"+bare, bare, string(version)))
	}
	return packages, nil
}

// bothPaths has each path with and without /usr: where /lib is a link, a package may know its file by the other.
func bothPaths(paths []string) []string {
	out := slices.Clone(paths)
	for _, p := range paths {
		if rest, under := strings.CutPrefix(p, "/usr"); under {
			out = append(out, rest)
		} else {
			out = append(out, "/usr"+p)
		}
	}
	return out
}
