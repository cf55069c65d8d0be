import type { LoadCase } from '../harness/load.ts'

const ALL = ['evener', 'nginx', 'haproxy'] as const

/** Cases of requests; those of idle connections and of starting have their own files. */
export const LOAD_CASES: readonly LoadCase[] = [
  { name: 'small-1', title: 'small response, 1 connection', load: { path: '/small', connections: 1 }, contenders: ALL },
  { name: 'small-64', title: 'small response, 64 connections', load: { path: '/small', connections: 64 }, contenders: ALL },
  { name: 'small-512', title: 'small response, 512 connections', load: { path: '/small', connections: 512 }, contenders: ALL },
  {
    name: 'steady',
    title: 'small response, 64 connections, 10,000 requests a second',
    load: { path: '/small', connections: 64, rate: 10_000 },
    contenders: ALL,
  },
  { name: '16k', title: '16 KiB response, 64 connections', load: { path: '/16k', connections: 64 }, contenders: ALL, isTuned: true },
  { name: '1m', title: '1 MiB response, 64 connections', load: { path: '/1m', connections: 64 }, contenders: ALL, isTuned: true },
  {
    name: 'connect',
    title: 'small response, a connection for each request, 64 at once',
    load: { path: '/small', connections: 64, close: true },
    contenders: ALL,
  },
  {
    name: 'upload',
    title: '64 KiB request body, 64 connections',
    load: { path: '/upload', connections: 64, upload: 64 * 1024 },
    contenders: ALL,
    isTuned: true,
  },
  {
    name: 'pipelined',
    title: 'small response, 64 connections, 16 requests at once',
    load: { path: '/small', connections: 64, pipelined: 16 },
    contenders: ALL,
  },
  {
    name: 'portable',
    title: 'small response, 64 connections, portable engine',
    load: { path: '/small', connections: 64 },
    contenders: ['evener-portable', 'nginx', 'haproxy'],
  },
]
