#!/usr/bin/env node
// Runs an ONNX file in ONNX Runtime (npm package onnxruntime-node; tools/onnx-runtime brings it).
//
//     tools/run_onnx.js MODEL.onnx IN.f32 OUT.f32 BATCH CHANNELS HEIGHT WIDTH
//
// IN and OUT are raw little-endian floats; prints the output's shape and the runtime's version.
"use strict";
const fs = require("fs");
const ort = require("onnxruntime-node");

async function main() {
    const [model, from, to, ...dims] = process.argv.slice(2);
    if (dims.length !== 4)
        throw new Error("usage: run_onnx.js MODEL.onnx IN.f32 OUT.f32 BATCH CHANNELS HEIGHT WIDTH");
    const bytes = fs.readFileSync(from);
    const input = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 2 });
    const { output } = await session.run({ input: new ort.Tensor("float32", input, dims.map(Number)) });
    fs.writeFileSync(to, Buffer.from(output.data.buffer, output.data.byteOffset, output.data.byteLength));
    console.log(`${output.dims.join("x")} by ONNX Runtime ${ort.env.versions.common}`);
}

main().catch((error) => {
    console.error(`run_onnx.js: ${error.message}`);
    process.exit(1);
});
