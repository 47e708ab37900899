// Package pdftest makes fonts to draw PDFs with, and reads PDFs back. Only tests import it.
package pdftest

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Font makes a TrueType font that has the characters of a text and no others, each a box: what a machine without Chinese fonts can
// be tried with.
func Font(text string) []byte {
	chars := slices.Compact(slices.Sorted(slices.Values([]rune(text))))
	glyphs := len(chars) + 1
	u16 := func(values ...int) []byte {
		var out []byte
		for _, v := range values {
			out = binary.BigEndian.AppendUint16(out, uint16(v))
		}
		return out
	}
	u32 := func(values ...int) []byte {
		var out []byte
		for _, v := range values {
			out = binary.BigEndian.AppendUint32(out, uint32(v))
		}
		return out
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	// One contour of four points with 16-bit coordinates: on-curve flags, then x and y as differences.
	box := join(u16(1, 100, 0, 900, 800), u16(3), u16(0), []byte{1, 1, 1, 1}, u16(100, 0, 800, 0), u16(0, 800, 0, -800))
	var glyf, loca, hmtx []byte
	for range glyphs {
		loca = append(loca, u32(len(glyf))...)
		glyf = append(glyf, box...)
		hmtx = append(hmtx, u16(1000, 100)...)
	}
	loca = append(loca, u32(len(glyf))...)
	tables := map[string][]byte{
		"head": join(u32(0x10000, 0x10000, 0, 0x5F0F3CF5), u16(0, 1000), make([]byte, 16), u16(100, 0, 900, 800, 0, 8, 2, 1, 0)),
		"hhea": join(u32(0x10000), u16(900, -100, 0, 1000, 0, 0, 900, 1, 0, 0, 0, 0, 0, 0, 0, glyphs)),
		"maxp": join(u32(0x10000), u16(glyphs, 4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)),
		"OS/2": join(u16(4, 1000, 400, 5, 0), make([]byte, 20+2+10+16), []byte("TEST"), u16(0x40, 0x20, 0xFFFF, 900, -100, 0, 900, 100), make([]byte, 8),
			u16(500, 800, 0, 32, 1)),
		"name": u16(0, 0, 6), "post": join(u32(0x30000, 0), u16(-100, 50), make([]byte, 20)),
		"cmap": cmapOf(chars), "hmtx": hmtx, "loca": loca, "glyf": glyf,
	}
	return assemble(tables)
}

// cmapOf maps characters to glyphs from 1 on, a segment each (format 4).
func cmapOf(chars []rune) []byte {
	segments := len(chars) + 1
	put := binary.BigEndian.AppendUint16
	var ends, starts, deltas, offsets []byte
	for i, c := range chars {
		ends, starts, deltas, offsets = put(ends, uint16(c)), put(starts, uint16(c)), put(deltas, uint16(i+1-int(c))), put(offsets, 0)
	}
	ends, starts, deltas, offsets = put(ends, 0xFFFF), put(starts, 0xFFFF), put(deltas, 1), put(offsets, 0)
	log := 0
	for 1<<(log+1) <= segments {
		log++
	}
	sub := put(nil, 4)
	sub = put(sub, uint16(16+8*segments))
	sub = put(sub, 0)
	sub = put(sub, uint16(2*segments))
	sub = put(sub, uint16(2<<log))
	sub = put(sub, uint16(log))
	sub = put(sub, uint16(2*segments-2<<log))
	sub = append(sub, ends...)
	sub = put(sub, 0)
	sub = bytes.Join([][]byte{sub, starts, deltas, offsets}, nil)
	head := put(put(nil, 0), 1)
	head = put(put(head, 3), 1)
	return append(binary.BigEndian.AppendUint32(head, 12), sub...)
}

func assemble(tables map[string][]byte) []byte {
	var names []string
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	out := binary.BigEndian.AppendUint32(nil, 0x10000)
	for _, v := range []int{len(names), 128, 3, 16*len(names) - 128} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	at := 12 + 16*len(names)
	var body []byte
	for _, name := range names {
		raw := tables[name]
		for len(raw)%4 != 0 {
			raw = append(raw, 0)
		}
		sum := uint32(0)
		for i := 0; i < len(raw); i += 4 {
			sum += binary.BigEndian.Uint32(raw[i:])
		}
		out = append(out, name...)
		for _, v := range []uint32{sum, uint32(at + len(body)), uint32(len(tables[name]))} {
			out = binary.BigEndian.AppendUint32(out, v)
		}
		body = append(body, raw...)
	}
	return append(out, body...)
}
