package attachment_test

import (
	"os"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/attachment"
)

// What files of the types begin with, and what only says that it is one.
var (
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
	pdf  = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
)

func TestAFileIsWhatItSaysItIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		declared, content string
		taken             bool
	}{
		{"image/png", png, true},
		{"image/jpeg", jpeg, true},
		{"application/pdf", pdf, true},
		{"text/plain", "Two colas are missing.\n两瓶可乐没到。", true},
		{"text/plain", `{"log": "line"}`, true},
		{"text/csv", "a,b\n1,2\n3,4\n", true},
		{"image/png", jpeg, false},
		{"image/png", "<html><script>alert(1)</script>", false},
		{"text/plain", "<!DOCTYPE html><html><body>", false},
		{"text/plain", `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, false},
		{"text/plain", "MZ\x90\x00\x03\x00\x00\x00\x04\x00", false},
		{"text/plain", "#!/bin/sh\nrm -rf /\n", false},
		{"application/pdf", "PK\x03\x04", false},
		{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "PK\x03\x04\x14\x00\x00\x00\x08\x00", false},
		{"text/html", "<html>", false},
		{"application/zip", "PK\x03\x04\x14\x00\x00\x00\x08\x00", false},
	} {
		err := attachment.Recognise(c.declared, []byte(c.content))
		if (err == nil) != c.taken || err != nil && problem.KindOf(err) != problem.UnsupportedMedia {
			t.Errorf("%.20q as %s: %v", c.content, c.declared, err)
		}
	}
	document, err := os.ReadFile("testdata/letter.docx")
	if err != nil {
		t.Fatal(err)
	}
	if err := attachment.Recognise("application/vnd.openxmlformats-officedocument.wordprocessingml.document", document); err != nil {
		t.Errorf("a document: %v", err)
	}
}

func TestANameIsCleaned(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"bottle.jpg", "image/jpeg", "bottle.jpg"},
		{"BOTTLE.JPEG", "image/jpeg", "BOTTLE.jpeg"},
		{"../../etc/passwd", "text/plain", "passwd.txt"},
		{`C:\Users\ann\bottle.png`, "image/png", "bottle.png"},
		{"photo.exe", "image/png", "photo.exe.png"},
		{"photo.png.exe", "image/png", "photo.png.exe.png"},
		{"bottle\u202egpj.exe", "image/png", "bottlegpj.exe.png"},
		{"a\r\nSet-Cookie: x=y.txt", "text/plain", "aSet-Cookie_ x=y.txt"},
		{`a"b;c.pdf`, "application/pdf", "a_b;c.pdf"},
		{"可乐 发票.pdf", "application/pdf", "可乐 发票.pdf"},
		{" .htaccess", "text/plain", "htaccess.txt"},
		{"..", "text/plain", "file.txt"},
		{"???", "text/plain", "file.txt"},
		{".pdf", "application/pdf", "pdf.pdf"},
	} {
		if got := attachment.CleanName(c[0], c[1]); got != c[2] {
			t.Errorf("%q of %s is kept as %q, want %q", c[0], c[1], got, c[2])
		}
	}
	if got := attachment.CleanName(strings.Repeat("可", 400)+".pdf", "application/pdf"); len([]rune(got)) != 150 || !strings.HasSuffix(got, "可.pdf") {
		t.Errorf("%q", got)
	}
}
