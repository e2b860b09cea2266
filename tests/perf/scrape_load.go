// Serves the pprof bodies of a folder to a scraper under load, on every address of 127.0.0.0/8: the
// next body each 15 seconds; a request with `seconds` waits that long. Prints its port.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	paths, _ := filepath.Glob(os.Args[1] + "/*.pb.gz")
	bodies := make([][]byte, len(paths))
	for i, path := range paths {
		bodies[i], _ = os.ReadFile(path)
	}
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	start := time.Now()
	panic(http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		seconds, _ := strconv.Atoi(request.URL.Query().Get("seconds"))
		time.Sleep(time.Duration(seconds) * time.Second)
		round := int(time.Since(start)/(15*time.Second)) % len(bodies)
		answer.Header().Set("Content-Type", "application/octet-stream")
		answer.Write(bodies[round])
	})))
}
