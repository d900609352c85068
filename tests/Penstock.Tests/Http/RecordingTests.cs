using System.Text;
using Penstock.Http;
using Xunit;

namespace Penstock.Tests.Http;

public sealed class RecordingTests
{
    private const int Held = 100;

    private readonly List<ReadOnlyMemory<byte>> _chunks = [];
    private int _abandoned;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Readers_get_everything_from_the_start_whenever_they_come()
    {
        var recording = Make();
        var early = recording.Attach()!;
        await AppendAsync(recording, "one ");
        Assert.Equal((RecordingState.More, "one "), await ReadAsync(early));
        await AppendAsync(recording, "two");
        recording.Complete();
        var late = recording.Attach()!;

        Assert.Equal((RecordingState.More, "two"), await ReadAsync(early));
        Assert.Equal((RecordingState.More, "one two"), await ReadAsync(late));
        Assert.Equal(RecordingState.Ended, (await ReadAsync(early)).State);
        Assert.Equal(RecordingState.Ended, (await ReadAsync(late)).State);
        Assert.Equal("one two", Encoding.ASCII.GetString(recording.Whole()!));
    }

    [Fact]
    public async Task A_reader_waits_for_what_comes()
    {
        var recording = Make();
        var reading = ReadAsync(recording.Attach()!);
        Assert.False(reading.IsCompleted);

        await AppendAsync(recording, "a");

        Assert.Equal((RecordingState.More, "a"), await reading);
    }

    [Fact]
    public async Task What_came_before_a_failure_is_read_before_it()
    {
        var recording = Make();
        var reader = recording.Attach()!;
        await AppendAsync(recording, "a");
        recording.Fail();

        Assert.Equal((RecordingState.More, "a"), await ReadAsync(reader));
        Assert.Equal(RecordingState.Failed, (await ReadAsync(reader)).State);
    }

    [Fact]
    public async Task The_first_end_stands()
    {
        var whole = Make();
        var reader = whole.Attach()!;
        whole.Complete();
        whole.Fail();
        Assert.Equal(RecordingState.Ended, (await ReadAsync(reader)).State);

        var broken = Make();
        reader = broken.Attach()!;
        broken.Fail();
        broken.Complete();
        Assert.Equal(RecordingState.Failed, (await ReadAsync(reader)).State);
    }

    [Fact]
    public async Task Within_the_bound_the_writer_waits_for_nobody()
    {
        var recording = Make();
        recording.Attach();

        await AppendAsync(recording, new string('x', Held));

        Assert.Equal(Held, recording.Whole()!.Length);
    }

    [Fact]
    public async Task Past_the_bound_the_writer_keeps_pace_with_the_fastest_and_nobody_joins()
    {
        var recording = Make();
        var slow = recording.Attach()!;
        var fast = recording.Attach()!;
        await AppendAsync(recording, new string('a', Held));
        var writing = AppendAsync(recording, new string('b', 60));
        Assert.False(writing.IsCompleted);

        Assert.Equal(Held + 60, (await ReadAsync(fast)).Text.Length);
        await writing;

        Assert.Null(recording.Attach());
        Assert.Null(recording.Whole());
        await AppendAsync(recording, "c");
        Assert.Equal((RecordingState.More, "c"), await ReadAsync(fast));
        Assert.Equal(Held + 61, (await ReadAsync(slow)).Text.Length);
    }

    [Fact]
    public async Task A_reader_that_is_eight_times_the_bound_behind_is_lost_and_no_other()
    {
        var recording = Make();
        var slow = recording.Attach()!;
        var fast = recording.Attach()!;
        for (var i = 0; i < 8; i++)
        {
            await AppendAsync(recording, new string('a', Held));
            await ReadAsync(fast);
        }

        Assert.Equal(8 * Held, (await ReadAsync(slow)).Text.Length);
        for (var i = 0; i < 9; i++)
        {
            await AppendAsync(recording, new string('b', Held));
            Assert.Equal(Held, (await ReadAsync(fast)).Text.Length);
        }

        Assert.Equal(RecordingState.Lost, (await ReadAsync(slow)).State);
        await AppendAsync(recording, "c");
        Assert.Equal((RecordingState.More, "c"), await ReadAsync(fast));
    }

    [Fact]
    public async Task Past_the_bound_a_writer_whose_readers_left_goes_on()
    {
        var recording = new Recording(Held, abandon: null);
        var reader = recording.Attach()!;
        await AppendAsync(recording, new string('a', Held));
        var writing = AppendAsync(recording, "b");
        Assert.False(writing.IsCompleted);

        reader.Dispose();

        await writing;
        for (var i = 0; i < 10; i++) await AppendAsync(recording, new string('x', Held));
        Assert.Null(recording.Whole());
    }

    [Fact]
    public async Task A_writer_that_waits_can_be_told_to_stop()
    {
        using var stop = new CancellationTokenSource();
        var recording = Make();
        recording.Attach();
        await AppendAsync(recording, new string('a', Held));
        var writing = recording.AppendAsync("b"u8.ToArray(), stop.Token).AsTask();

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
    }

    [Fact]
    public void The_last_reader_to_leave_abandons_once()
    {
        var recording = Make();
        var (one, two) = (recording.Attach()!, recording.Attach()!);
        one.Dispose();
        one.Dispose();
        Assert.Equal((0, false), (_abandoned, recording.Abandoned));

        two.Dispose();
        two.Dispose();

        Assert.Equal((1, true), (_abandoned, recording.Abandoned));
        Assert.Null(recording.Attach());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_ended_is_abandoned_by_nobody(bool whole)
    {
        var recording = Make();
        var reader = recording.Attach()!;
        if (whole) recording.Complete();
        else recording.Fail();

        reader.Dispose();

        Assert.Equal(0, _abandoned);
    }

    [Fact]
    public async Task Many_readers_of_a_busy_writer_each_get_every_byte()
    {
        var recording = new Recording(1 << 20, abandon: null);
        var expected = string.Concat(Enumerable.Range(0, 2_000).Select(i => $"{i},"));
        var reading = Enumerable.Range(0, 32).Select(_ => recording.Attach()!).Select(reader => Task.Run(() => AllAsync(reader))).ToArray();

        for (var i = 0; i < 2_000; i++) await AppendAsync(recording, $"{i},");
        recording.Complete();

        Assert.All(await Task.WhenAll(reading), text => Assert.Equal(expected, text));
    }

    private Recording Make() => new(Held, () => _abandoned++);

    private static async Task<string> AllAsync(Recording.Reader reader)
    {
        var text = new StringBuilder();
        var chunks = new List<ReadOnlyMemory<byte>>();
        while (await reader.ReadAsync(chunks, Ct) == RecordingState.More) text.Append(Text(chunks));
        return text.ToString();
    }

    private static Task AppendAsync(Recording recording, string text) => recording.AppendAsync(Encoding.ASCII.GetBytes(text), Ct).AsTask();

    private async Task<(RecordingState State, string Text)> ReadAsync(Recording.Reader reader)
    {
        var state = await reader.ReadAsync(_chunks, Ct);
        return (state, Text(_chunks));
    }

    private static string Text(List<ReadOnlyMemory<byte>> chunks) => string.Concat(chunks.Select(chunk => Encoding.ASCII.GetString(chunk.Span)));
}
