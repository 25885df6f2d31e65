// A static program with a scheduler, a garbage collector and signals of its own.
package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	var group sync.WaitGroup
	results := make([]float64, 50)
	for i := range results {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for k := 1; k < 20000; k++ {
				results[i] += math.Sqrt(float64(k * i))
			}
		}(i)
	}
	group.Wait()
	sum := 0.0
	for _, result := range results {
		sum += result
	}
	fmt.Println(sum)
	runtime.GC()
	output, _ := exec.Command("echo", "child").Output()
	fmt.Print(string(output))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	table := map[int]float64{}
	for i := 0; i < 100000; i++ {
		table[i] = float64(i) * 1.5
	}
	fmt.Println(len(table), table[77])
	<-time.After(20 * time.Millisecond)
	defer func() {
		fmt.Println(recover())
		os.Exit(3)
	}()
	var nothing *int
	fmt.Println(*nothing)
}
