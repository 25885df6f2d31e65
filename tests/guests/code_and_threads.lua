-- Code that a script writes, changes and executes, also in threads, beside that of the compiler.
local ffi = require('ffi')
ffi.cdef[[void* mmap(void*, size_t, int, int, int, long); int mprotect(void*, size_t, int);
typedef unsigned long pthread_t; int pthread_create(pthread_t*, void*, void*, void*); int pthread_join(pthread_t, void**);
typedef int (*compare)(const void*, const void*); void qsort(void*, size_t, size_t, compare);
int getpid(void); int kill(int, int); int usleep(unsigned);]]
local function page(protection)
  return ffi.cast('unsigned char*', ffi.C.mmap(nil, 4096, protection, 0x22, -1, 0))
end
-- mov eax, VALUE; add eax, edi; ret
local code = page(7)
local add = ffi.cast('int (*)(int)', code)
local sum = 0
for value = 1, 3000 do
  ffi.copy(code, '\xb8\0\0\0\0\1\xf8\xc3', 8)
  ffi.cast('int*', code + 1)[0] = value
  for j = 1, 30 do sum = sum + add(j) end
end
print('rewritten', sum)
-- mov rax, rdi; mov ecx, 100000; 1: add rax, 3; dec ecx; jnz 1b; ret
local loop = page(3)
ffi.copy(loop, '\x48\x89\xf8\xb9\xa0\x86\x01\0\x48\x83\xc0\3\xff\xc9\x75\xf8\xc3', 17)
ffi.C.mprotect(loop, 4096, 5)
local total = 0
for round = 1, 20 do
  local threads, value = ffi.new('pthread_t[8]'), ffi.new('void*[1]')
  for i = 0, 7 do assert(ffi.C.pthread_create(threads + i, nil, loop, ffi.cast('void*', i * round)) == 0) end
  for value = 1, 50 do ffi.cast('int*', code + 1)[0] = value; total = total + add(1) end
  for i = 0, 7 do
    ffi.C.pthread_join(threads[i], value)
    total = total + tonumber(ffi.cast('long', value[0]))
  end
end
print('threads', total)
local compare = ffi.cast('compare', function(x, y) return ffi.cast('int*', x)[0] - ffi.cast('int*', y)[0] end)
local numbers = ffi.new('int[500]')
for i = 0, 499 do numbers[i] = (i * 7919) % 503 end
ffi.C.qsort(numbers, 500, 4, compare)
print('sorted', numbers[0], numbers[250], numbers[499])
local generators = {}
for g = 1, 50 do generators[g] = coroutine.wrap(function() for i = 1, 200 do coroutine.yield(math.sin(i * g)) end end) end
local s = 0
for i = 1, 200 do for g = 1, 50 do s = s + generators[g]() end end
print('coroutines', string.format('%.15g', s))
print('patterns', (string.rep('abc123', 2000):gsub('(%a+)(%d+)', '%2%1')):sub(1, 20))
