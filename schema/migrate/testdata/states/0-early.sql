-- The tables of an early build: fewer columns, narrower numbers, plain strings
-- where dictionaries are now, other codecs, indexes that are gone since, a
-- shorter retention. {db} is the database.
CREATE TABLE {db}.sip
(
    `time` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `tenant` String CODEC(ZSTD(1)),
    `node` LowCardinality(String) CODEC(ZSTD(1)),
    `capture_id` UInt16 CODEC(ZSTD(1)),
    `correlation_id` String CODEC(ZSTD(1)),
    `call_id` String COMMENT 'SIP Call-ID.' CODEC(LZ4),
    `src_ip` IPv6 CODEC(ZSTD(1)),
    `src_port` UInt16 CODEC(ZSTD(1)),
    `dst_ip` IPv6 CODEC(ZSTD(1)),
    `dst_port` UInt16 CODEC(ZSTD(1)),
    `method` LowCardinality(String) CODEC(ZSTD(1)),
    `status` UInt16 CODEC(ZSTD(1)),
    `cseq` UInt16 CODEC(ZSTD(1)),
    `from_user` String CODEC(ZSTD(1)),
    `to_user` LowCardinality(String) CODEC(ZSTD(1)),
    `headers` Map(String, String) CODEC(ZSTD(1)),
    `raw` String CODEC(ZSTD(1)),
    INDEX idx_call_id call_id TYPE bloom_filter(0.05) GRANULARITY 4,
    INDEX idx_raw raw TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 1,
    INDEX idx_src_ip src_ip TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX own_index from_user TYPE set(100) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfHour(time), correlation_id, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192;

CREATE TABLE {db}.media
(
    `time` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `correlation_id` String CODEC(ZSTD(1)),
    `call_id` String CODEC(ZSTD(1)),
    `ssrc` UInt32 CODEC(ZSTD(1)),
    `packets` UInt32 CODEC(ZSTD(1)),
    `lost` Int32 CODEC(ZSTD(1)),
    `mos` Float32 CODEC(ZSTD(1)),
    `raw` String CODEC(ZSTD(3))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfHour(time), correlation_id, time)
SETTINGS index_granularity = 2048;
