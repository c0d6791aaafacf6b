int main(void)
{
    return this_name_is_declared_nowhere;
}
