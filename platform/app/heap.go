package app

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// roomForGarbage is how large the heap may become, in bytes, before it is collected although little of it is in use. Go
// collects when the heap has doubled: a program that holds 20 MB and makes much garbage, as an import does, then spends a
// third of its time on that. From half of this room on Go's own rule holds.
const roomForGarbage = 96 << 20

// giveRoom has the heap collected no earlier than at the room's size, for as long as the process lives. Whoever sets GOGC
// knows better.
func giveRoom(room uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	present := 100
	afterEachCollection(func() {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if percent := growth(sample[0].Value.Uint64(), room); percent != present {
			present = percent
			debug.SetGCPercent(percent)
		}
	})
}

// growth is by how many percent a heap of which live bytes are in use may grow before it is collected: in steps, since
// each change stops the program for a moment.
func growth(live, room uint64) int {
	const usual, most, step = 100, 1000, 50
	if live == 0 {
		return most
	}
	percent := int(math.Round((float64(room)/float64(live)-1)*100/step)) * step
	return min(max(percent, usual), most)
}

// afterEachCollection calls fn soon after each collection: something that nobody refers to is found by it, and makes the
// next such thing.
func afterEachCollection(fn func()) {
	type notUsed struct{ _ [16]byte }
	runtime.AddCleanup(new(notUsed), func(fn func()) {
		fn()
		afterEachCollection(fn)
	}, fn)
}
