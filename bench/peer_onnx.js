// Inference by ONNX Runtime (npm install --ignore-scripts onnxruntime-node).
// node peer_onnx.js FILE.onnx BATCH STEPS THREADS    prints: median_ms best_ms   (an image)
const ort = require("onnxruntime-node");

async function main() {
    const [file, batch, steps, threads] = [process.argv[2], ...process.argv.slice(3, 6).map(Number)];
    const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
    const x = new ort.Tensor("float32", Float32Array.from({ length: batch * 3 * 224 * 224 }, (_, i) => (i % 255) / 255 - 0.5),
        [batch, 3, 224, 224]);
    const took = [];
    for (let i = -2; i < steps; i++) {
        const began = process.hrtime.bigint();
        await session.run({ [session.inputNames[0]]: x });
        if (i >= 0)
            took.push(Number(process.hrtime.bigint() - began) / 1e6 / batch);
    }
    took.sort((a, b) => a - b);
    const n = took.length;
    console.log(`${((took[(n - 1) >> 1] + took[n >> 1]) / 2).toFixed(3)} ${took[0].toFixed(3)}`);
}

main();
