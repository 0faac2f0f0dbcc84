/* nn/machine.h: the machine that runs the networks. */
#ifndef CLEARMASS_NN_MACHINE_H
#define CLEARMASS_NN_MACHINE_H

#include <stdbool.h>

enum { NN_MACHINE_TEXT = 160 };

/* The processor, its instructions, the library and the threads, in one line. */
void nn_machine(char text[NN_MACHINE_TEXT]);

/* Floating point operations a second that this machine reaches now, with all threads, in a product of large
 * matrices of floats, or of bf16 numbers: what a network's speed is a share of. Takes a fraction of a second;
 * 0 where the processor cannot (nn_has_bf16). */
double nn_peak(bool bf16);

#endif
