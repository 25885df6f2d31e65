/* Vectors of the largest size that the instruction set has, and names of functions of them. */
#ifndef NAMED_VECTORS_H
#define NAMED_VECTORS_H

#ifdef __AVX512F__
#define BYTES 64
#define POINTER_BYTES 64
#define ISA_NAME eN
#elif defined(__AVX2__)
#define BYTES 32
#define POINTER_BYTES 32
#define ISA_NAME dN
#elif defined(__AVX__)
#define BYTES 32
/* Its registers of integers have 128 bits. */
#define POINTER_BYTES 16
#define ISA_NAME cN
#else
#define BYTES 16
#define POINTER_BYTES 16
#define ISA_NAME bN
#endif

/* Lanes as a word for names. */
#ifdef REAL_IS_FLOAT
#define F(name) name##f
#if BYTES == 64
#define LANES 16
#elif BYTES == 32
#define LANES 8
#else
#define LANES 4
#endif
#else
#define F(name) name
#if BYTES == 64
#define LANES 8
#elif BYTES == 32
#define LANES 4
#else
#define LANES 2
#endif
#endif

/* Eight pointers for each of two values are more than there are registers for. */
#define HAS_SINCOS (16 * LANES <= 7 * POINTER_BYTES)

#define JOINED_OF(a, b) a##b
#define JOINED(a, b) JOINED_OF(a, b)
#define INTEL(name) JOINED(JOINED(__svml_, F(name)), LANES)

typedef REAL vector __attribute__((vector_size(BYTES)));

vector INTEL(sin)(vector);
vector INTEL(cos)(vector);
vector INTEL(exp)(vector);
/* Returns two vectors. */
vector INTEL(sincos)(vector);
vector INTEL(pow)(vector, vector);
vector INTEL(cdfnorminv)(vector);
/* Nobody knows this one. */
vector INTEL(secret)(vector);
vector JOINED(INTEL(log), _mask)(vector, vector);

#endif
