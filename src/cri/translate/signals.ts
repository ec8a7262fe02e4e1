import { constants } from "node:os";
import { Signal, SignalSchema } from "../gen/runtime/v1/api_pb.ts";
import { invalid } from "./required.ts";

// The CRI spells real-time signals SIGRTMINPLUS3 and SIGRTMAXMINUS3, everybody else SIGRTMIN+3 and SIGRTMAX-3.

/** The name of a stop signal, empty for RUNTIME_DEFAULT. */
export function signalNameFromWire(signal: Signal, field: string): string {
  if (signal === Signal.RUNTIME_DEFAULT) return "";
  const name = SignalSchema.values.find(({ number }) => number === signal)?.name;
  if (name === undefined) throw invalid(field, `has the unknown value ${signal}`);
  return name.replace("MINPLUS", "MIN+").replace("MAXMINUS", "MAX-");
}

const wireSignals = new Map(SignalSchema.values.map(({ name, number }) => [name, number as Signal]));
const namesByNumber = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** The CRI's value for a signal as images and configurations write it: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`. */
export function signalToWire(written: string): Signal {
  const upper = written.trim().toUpperCase();
  const name = /^[0-9]+$/.test(upper) ? nameOfNumber(Number(upper)) : upper;
  const full = name.startsWith("SIG") ? name : `SIG${name}`;
  return wireSignals.get(full.replace("MIN+", "MINPLUS").replace("MAX-", "MAXMINUS")) ?? Signal.RUNTIME_DEFAULT;
}

/** Real-time signals are 34 to 64 in the C library that programs see. */
const firstRealTime = 34;
const lastRealTime = 64;
const lastFromMin = 49;

function nameOfNumber(number: number): string {
  if (number === firstRealTime) return "SIGRTMIN";
  if (number === lastRealTime) return "SIGRTMAX";
  if (number > firstRealTime && number <= lastFromMin) return `SIGRTMIN+${number - firstRealTime}`;
  if (number > lastFromMin && number < lastRealTime) return `SIGRTMAX-${lastRealTime - number}`;
  return namesByNumber.get(number) ?? "";
}
